import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray } from 'class-validator';
import type { MintedToken } from '../auth/minted-tokens.service.js';
import { IfGiven, IsInteger, IsText, IsUserId } from '../errors/validators.js';
import { LIMITS } from '../protocol/index.js';

const NAME_CHARS = 200;
const MAX_ROLES = 64;
const ROLE_CHARS = 255;
const MAX_SECONDS = 86_400;

export class NewTokenDto {
  @ApiProperty({
    description: 'Id of the user, who may be one that the server has not seen yet. None that begins with `bot:` or `guest:`.',
    minLength: 1,
    maxLength: LIMITS.userIdChars,
    example: 'u7',
  })
  @IsUserId()
  user!: string;

  @ApiPropertyOptional({
    description: 'His name from now on; without it, as it is.',
    minLength: 1,
    maxLength: NAME_CHARS,
    example: 'Ada Lovelace',
  })
  @IfGiven()
  @IsText(1, NAME_CHARS)
  name?: string;

  @ApiPropertyOptional({
    type: [String],
    maxItems: MAX_ROLES,
    description: 'Without it, none. The role `admin` only where the caller may do all that it allows.',
    example: ['editor'],
  })
  @IfGiven()
  @IsArray({ message: 'must be a list of roles' })
  @ArrayMaxSize(MAX_ROLES, { message: `must be at most ${MAX_ROLES} roles` })
  @IsText(1, ROLE_CHARS, { each: true })
  roles?: string[];

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: MAX_SECONDS,
    description: 'Life of the token; without it, that of a local account’s. No longer than that of the API key that asks.',
    example: 900,
  })
  @IfGiven()
  @IsInteger(1, MAX_SECONDS)
  expiresInSeconds?: number;
}

export class NewTokenBody implements MintedToken {
  @ApiProperty({ description: 'JWT for `Authorization: Bearer`.', example: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1NyJ9.c2lnbmF0dXJl' })
  accessToken!: string;

  @ApiProperty({ type: 'integer', description: 'Life of the token in seconds.', example: 900 })
  expiresIn!: number;
}
