import { ApiExtraModels, ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayUnique, IsArray } from 'class-validator';
import { LoginBody } from '../auth/sessions.dto.js';
import type { SessionView } from '../auth/sessions.service.js';
import { UrlFlag } from '../errors/url-values.js';
import { IfGiven, IsFlag, IsReason, IsText, IsUuid } from '../errors/validators.js';
import { type ChosenStatus, LIMITS } from '../protocol/index.js';
import { PageBody, PageQueryDto } from '../rooms/page.dto.js';
import { UserParamsDto } from './admin.dto.js';
import type { AdminUserDetail, AdminUserView, SanctionDetail } from './users-admin.repository.js';

const MAX_ROLES = 20;
const ROLE_CHARS = 64;
const TIME = { format: 'date-time', example: '2026-11-24T12:00:00.000Z' } as const;
const MAYBE_TIME = { ...TIME, type: String, nullable: true, example: null } as const;
const REASON = { minLength: 1, maxLength: LIMITS.reasonChars, example: 'Left the company' } as const;

export class UsersQueryAdminDto extends PageQueryDto {
  @ApiPropertyOptional({
    minLength: 1,
    maxLength: LIMITS.userIdChars,
    description: 'A part of the id, of the username or of the name; of the names in any case.',
    example: 'love',
  })
  @IfGiven()
  @IsText(1, LIMITS.userIdChars)
  q?: string;

  @ApiPropertyOptional({ minLength: 1, maxLength: ROLE_CHARS, description: 'Users to whom this role was given here.', example: 'admin' })
  @IfGiven()
  @IsText(1, ROLE_CHARS)
  role?: string;

  @ApiPropertyOptional({ type: String, enum: ['true', 'false'], description: 'Only disabled users, or only the others.', example: 'true' })
  @IfGiven()
  @UrlFlag()
  disabled?: boolean;
}

export class DisabledDto {
  @ApiProperty({ example: true })
  @IsFlag()
  disabled!: boolean;

  @ApiPropertyOptional({ ...REASON, description: 'For administrators; the user is not told.' })
  @IfGiven()
  @IsReason()
  reason?: string;
}

export class RolesDto {
  @ApiProperty({
    type: [String],
    maxItems: MAX_ROLES,
    description: 'All that the user is to have; none takes away what he had.',
    example: ['admin'],
  })
  @IsArray({ message: 'must be a list' })
  @ArrayMaxSize(MAX_ROLES, { message: `must be at most ${MAX_ROLES} roles` })
  @ArrayUnique({ message: 'must name each role once' })
  @IsText(1, ROLE_CHARS, { each: true })
  roles!: string[];
}

export class SessionParamsDto extends UserParamsDto {
  @ApiProperty({ format: 'uuid', description: 'Id of the login.', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' })
  @IsUuid()
  session!: string;
}

export class AdminUserBody implements AdminUserView {
  @ApiProperty({ description: "The tokens' `sub`.", example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' })
  id!: string;

  @ApiProperty({ type: String, nullable: true, description: 'Null for users who do not log in here.', example: 'ada' })
  username!: string | null;

  @ApiProperty({ type: String, nullable: true, example: 'Ada Lovelace' })
  name!: string | null;

  @ApiProperty({ type: [String], description: 'Those given here; tokens from elsewhere may say others.', example: ['admin'] })
  roles!: string[];

  @ApiProperty({ ...TIME, description: 'When the server first saw the user, or was told of him by a ban or a mute.' })
  createdAt!: string;

  @ApiProperty({ ...MAYBE_TIME, description: 'When his last visible presence ended; null before the first end.' })
  lastSeenAt!: string | null;

  @ApiProperty({ ...MAYBE_TIME, description: 'Since when the user is banned.' })
  bannedAt!: string | null;

  @ApiProperty({ ...MAYBE_TIME, description: 'Since when the user is muted on the whole server.' })
  mutedAt!: string | null;

  @ApiProperty({ ...MAYBE_TIME, description: 'Since when the user is disabled.' })
  disabledAt!: string | null;
}

export class SanctionDetailBody implements SanctionDetail {
  @ApiProperty({ type: String, nullable: true, description: 'Who set it; null when that was not written down.', example: 'u1' })
  by!: string | null;

  @ApiProperty({ ...REASON, type: String, nullable: true, description: 'Why.', example: 'Advertising' })
  reason!: string | null;

  @ApiProperty({ ...MAYBE_TIME, description: 'When it ends by itself; null: not before it is lifted.' })
  until!: string | null;

  @ApiProperty(TIME)
  createdAt!: string;
}

const MAYBE_SANCTION = { oneOf: [{ $ref: '#/components/schemas/SanctionDetailBody' }, { type: 'object', nullable: true, enum: [null] }] };

@ApiExtraModels(SanctionDetailBody)
export class AdminUserDetailBody extends AdminUserBody implements AdminUserDetail {
  @ApiProperty({ enum: ['online', 'away', 'busy', 'invisible'], description: 'What the user has chosen to show.', example: 'online' })
  status!: ChosenStatus;

  @ApiProperty({ ...MAYBE_SANCTION, description: 'His ban from the server, while it is on.' })
  ban!: SanctionDetail | null;

  @ApiProperty({ ...MAYBE_SANCTION, description: 'His mute on the whole server, while it is on.' })
  mute!: SanctionDetail | null;

  @ApiProperty({ type: String, nullable: true, description: 'Who disabled him.', example: null })
  disabledBy!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'Why.', example: null })
  disabledReason!: string | null;

  @ApiProperty({ ...MAYBE_TIME, description: 'Tokens that were issued up to this second are void.' })
  tokensVoidUntil!: string | null;

  @ApiProperty({ type: 'integer', minimum: 0, description: 'Rooms that he is a member of.', example: 3 })
  roomCount!: number;

  @ApiProperty({ type: 'integer', minimum: 0, description: 'Logins that are neither ended nor expired.', example: 1 })
  sessionCount!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    description:
      'Live API keys that he made, himself or by a token that he had signed, and the keys that those made. They go on when he is disabled.',
    example: 2,
  })
  apiKeyCount!: number;
}

export class AdminUserPageBody extends PageBody {
  @ApiProperty({ type: [AdminUserBody] })
  items!: AdminUserView[];
}

export class AdminSessionBody extends LoginBody implements SessionView {
  @ApiProperty({ ...MAYBE_TIME, description: 'When it was ended: by logout, by an administrator, or by a refresh token used twice.' })
  endedAt!: string | null;
}

export class AdminSessionPageBody extends PageBody {
  @ApiProperty({ type: [AdminSessionBody] })
  items!: SessionView[];
}
