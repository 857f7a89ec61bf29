import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IfGiven, IsOneOf, IsReason, IsTime } from '../errors/validators.js';
import { LIMITS, type Role } from '../protocol/index.js';
import type { MemberView } from './membership.entity.js';
import { PageBody } from './page.dto.js';
import type { RoomSanctionView } from './room-sanctions.js';
import { ROLES } from './rooms.dto.js';

const TIME = { format: 'date-time', example: '2026-11-24T12:00:00.000Z' } as const;
const REASON = { minLength: 1, maxLength: LIMITS.reasonChars, example: 'Advertising' } as const;

export class MemberRoleDto {
  @ApiProperty({ enum: ROLES, example: 'member' })
  @IsOneOf(ROLES)
  role!: Role;
}

export class RemovalQueryDto {
  @ApiPropertyOptional({ ...REASON, description: 'Goes into the event `member.left`.' })
  @IfGiven()
  @IsReason()
  reason?: string;
}

/** Of a ban or a mute, in a room or on the server. */
export abstract class UntilDto {
  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    description: 'When it ends by itself; without it, not before it is lifted.',
    example: '2099-01-01T00:00:00.000Z',
  })
  @IfGiven()
  @IsTime({ future: true })
  until?: Date;
}

export class BanDto extends UntilDto {
  @ApiPropertyOptional({ ...REASON, description: 'Goes into the event `member.left` too, if the user was a member.' })
  @IfGiven()
  @IsReason()
  reason?: string;
}

export class MuteDto extends UntilDto {
  @ApiPropertyOptional({ ...REASON, description: 'For the moderators of the room.' })
  @IfGiven()
  @IsReason()
  reason?: string;
}

export class MemberBody implements MemberView {
  @ApiProperty({ description: 'Id of the user.', example: 'u8' })
  user!: string;

  @ApiProperty({ enum: ROLES, example: 'member' })
  role!: Role;

  @ApiProperty(TIME)
  joinedAt!: string;
}

export class MemberPageBody extends PageBody {
  @ApiProperty({ type: [MemberBody] })
  items!: MemberView[];
}

class RoomSanctionBody implements RoomSanctionView {
  @ApiProperty({ description: 'Id of the user.', example: 'u9' })
  user!: string;

  @ApiProperty({ description: 'Id of the user who set it.', example: 'u7' })
  by!: string;

  @ApiProperty({ ...REASON, type: String, nullable: true })
  reason!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'When it ends by itself, if it does.', example: null })
  until!: string | null;

  @ApiProperty(TIME)
  createdAt!: string;
}

export class BanBody extends RoomSanctionBody {}

export class MuteBody extends RoomSanctionBody {}

export class MutePageBody extends PageBody {
  @ApiProperty({ type: [MuteBody] })
  items!: RoomSanctionView[];
}

export class BanPageBody extends PageBody {
  @ApiProperty({ type: [BanBody] })
  items!: RoomSanctionView[];
}
