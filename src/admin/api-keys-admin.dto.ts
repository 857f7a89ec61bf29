import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMinSize, ArrayUnique, IsArray, IsIn } from 'class-validator';
import type { ApiKeyView } from '../auth/api-keys.service.js';
import { ALL_SCOPES, type Scope, SCOPES } from '../auth/scopes.js';
import { IfGiven, IsInteger, IsText, IsUserId, IsUuid } from '../errors/validators.js';
import { LIMITS } from '../protocol/index.js';
import { PageBody, PageQueryDto } from '../rooms/page.dto.js';

const NAME_CHARS = 200;
const MIN_SECONDS = 60;
/** Ten years. */
const MAX_SECONDS = 315_360_000;
const SCOPE_LINES = Object.entries(SCOPES).map(([scope, line]) => `- \`${scope}\`: ${line}`);

export class NewApiKeyDto {
  @ApiProperty({ description: 'For people; it is the name of the bot too.', minLength: 1, maxLength: NAME_CHARS, example: 'Deploy bot' })
  @IsText(1, NAME_CHARS)
  name!: string;

  @ApiProperty({
    enum: ALL_SCOPES,
    isArray: true,
    minItems: 1,
    uniqueItems: true,
    description: `What the key may do. Sending as its bot needs none of them, but name at least one.\n${SCOPE_LINES.join('\n')}`,
    example: ['tokens:write', 'users:act'],
  })
  @IsArray({ message: 'must be a list of scopes' })
  @ArrayMinSize(1, { message: 'must name a scope' })
  @ArrayUnique({ message: 'must name each scope once' })
  @IsIn(ALL_SCOPES, { each: true, message: 'must be scopes that there are' })
  scopes!: Scope[];

  @ApiPropertyOptional({
    type: 'integer',
    minimum: MIN_SECONDS,
    maximum: MAX_SECONDS,
    description: 'Life of the key; without it, it lives until it is revoked.',
    example: 7_776_000,
  })
  @IfGiven()
  @IsInteger(MIN_SECONDS, MAX_SECONDS)
  expiresInSeconds?: number;
}

export class ApiKeysQueryDto extends PageQueryDto {
  @ApiPropertyOptional({
    minLength: 1,
    maxLength: LIMITS.userIdChars,
    description: 'Those that this user made, himself or by a token that he had signed for somebody. Of a key: its bot’s id.',
    example: 'u7',
  })
  @IfGiven()
  @IsUserId()
  createdBy?: string;
}

export class ApiKeyParamsDto {
  @ApiProperty({ format: 'uuid', description: 'Id of the key.', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' })
  @IsUuid()
  key!: string;
}

const TIME = { type: String, format: 'date-time', nullable: true };

export class ApiKeyBody implements ApiKeyView {
  @ApiProperty({ format: 'uuid', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' })
  id!: string;

  @ApiProperty({ example: 'Deploy bot' })
  name!: string;

  @ApiProperty({ enum: ALL_SCOPES, isArray: true, example: ['tokens:write', 'users:act'] })
  scopes!: Scope[];

  @ApiProperty({
    description: 'The user that the backend is when it acts for nobody else.',
    example: 'bot:0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11',
  })
  botUser!: string;

  @ApiProperty({ description: 'Who made it.', example: 'u7' })
  createdBy!: string;

  @ApiProperty({ format: 'date-time', example: '2026-11-24T12:00:00.000Z' })
  createdAt!: string;

  @ApiProperty({ ...TIME, description: 'Null: it lives until it is revoked.', example: '2027-02-22T12:00:00.000Z' })
  expiresAt!: string | null;

  @ApiProperty({ ...TIME, example: null })
  revokedAt!: string | null;

  @ApiProperty({ ...TIME, description: 'To the minute; null when it never was.', example: '2026-11-24T12:05:00.000Z' })
  lastUsedAt!: string | null;
}

export class NewApiKeyBody extends ApiKeyBody {
  @ApiProperty({
    description: 'The key itself, for `Authorization: Bearer`. It is shown this once, and kept nowhere.',
    example: 'pk_0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11_dQw4w9WgXcQ3mZ0yq1rT8uV5xB2nL6kJ7hG4fD9sA0c',
  })
  key!: string;
}

export class ApiKeyPageBody extends PageBody {
  @ApiProperty({ type: [ApiKeyBody] })
  items!: ApiKeyView[];
}
