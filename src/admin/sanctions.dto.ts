import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { UrlFlag } from '../errors/url-values.js';
import { IfGiven, IsReason, IsUserId, IsUuid } from '../errors/validators.js';
import { LIMITS } from '../protocol/index.js';
import { UntilDto } from '../rooms/members.dto.js';
import { PageBody, PageQueryDto } from '../rooms/page.dto.js';
import type { SanctionView } from './sanctions.repository.js';

const REASON = { minLength: 1, maxLength: LIMITS.reasonChars, example: 'Advertising' } as const;

export class SanctionDto extends UntilDto {
  @ApiPropertyOptional({ ...REASON, description: 'For other administrators.' })
  @IfGiven()
  @IsReason()
  reason?: string;
}

export class SanctionQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ description: 'Only of this user.', minLength: 1, maxLength: LIMITS.userIdChars, example: 'u9' })
  @IfGiven()
  @IsUserId()
  user?: string;

  @ApiPropertyOptional({ format: 'uuid', description: 'Only of this room.', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' })
  @IfGiven()
  @IsUuid()
  room?: string;

  @ApiPropertyOptional({
    enum: ['true', 'false'],
    type: String,
    description: 'Only those that hold now, or only those whose time is over.',
    example: 'true',
  })
  @IfGiven()
  @UrlFlag()
  active?: boolean;
}

export class SanctionBody implements SanctionView {
  @ApiProperty({ description: 'Id of the user.', example: 'u9' })
  user!: string;

  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'Id of the room that it is of; null: everywhere.',
    example: null,
  })
  room!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'Id of the user who set it.', example: 'u1' })
  by!: string | null;

  @ApiProperty({ ...REASON, type: String, nullable: true })
  reason!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'When it ends by itself, if it does.', example: null })
  until!: string | null;

  @ApiProperty({ format: 'date-time', example: '2026-11-24T12:00:00.000Z' })
  createdAt!: string;

  @ApiProperty({ description: 'False once its time is over.', example: true })
  active!: boolean;
}

export class SanctionPageBody extends PageBody {
  @ApiProperty({ type: [SanctionBody] })
  items!: SanctionView[];
}
