import { ApiProperty } from '@nestjs/swagger';
import { IsUuid } from '../errors/validators.js';
import type { LiveSession } from './sessions.service.js';

const ID = { format: 'uuid', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' };
const TIME = { format: 'date-time', example: '2026-11-24T12:00:00.000Z' };

export class OwnSessionParamsDto {
  @ApiProperty({ ...ID, description: 'Id of the login: the `sid` of its access tokens.' })
  @IsUuid()
  session!: string;
}

/** What a login is, to whoever may see it. */
export class LoginBody {
  @ApiProperty({ ...ID, description: 'The `sid` of its access tokens.' })
  id!: string;

  @ApiProperty(TIME)
  createdAt!: string;

  @ApiProperty({ ...TIME, description: 'When its refresh token was last used, or the user logged in.' })
  lastUsedAt!: string;

  @ApiProperty({ ...TIME, description: 'When its refresh token expires unless it is used.' })
  expiresAt!: string;
}

export class OwnSessionBody extends LoginBody implements LiveSession {
  @ApiProperty({ description: 'Whether this request came by it.', example: true })
  current!: boolean;
}

export class OwnSessionListBody {
  @ApiProperty({ type: [OwnSessionBody] })
  items!: OwnSessionBody[];

  @ApiProperty({ type: String, nullable: true, description: 'Always null: there is no second page.', example: null })
  nextCursor!: null;
}
