import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Matches } from 'class-validator';
import { IfGiven, IsText } from '../errors/validators.js';
import { UserBody } from './user.dto.js';
import { USERNAME } from './username.js';

export class RegisterDto {
  @ApiProperty({
    description: 'Unique whatever its case. 3 to 32 letters, digits, and `.`, `_`, `-` inside.',
    pattern: USERNAME.source,
    minLength: 3,
    maxLength: 32,
    example: 'ada',
  })
  @Matches(USERNAME, { message: 'must have 3 to 32 letters and digits, and may have . _ - inside' })
  username!: string;

  @ApiProperty({ minLength: 8, maxLength: 256, example: 'correct horse battery staple' })
  @IsText(8, 256)
  password!: string;

  @ApiPropertyOptional({ description: 'Shown to others; without it, the username.', minLength: 1, maxLength: 200, example: 'Ada Lovelace' })
  @IfGiven()
  @IsText(1, 200)
  name?: string;
}

export class LoginDto {
  @ApiProperty({ minLength: 1, maxLength: 64, example: 'ada' })
  @IsText(1, 64)
  username!: string;

  @ApiProperty({ minLength: 1, maxLength: 256, example: 'correct horse battery staple' })
  @IsText(1, 256)
  password!: string;
}

export class RefreshTokenDto {
  @ApiProperty({
    description: 'The newest refresh token of the login.',
    minLength: 1,
    maxLength: 512,
    example: 'dQw4w9WgXcQ3mZ0yq1rT8uV5xB2nL6kJ7hG4fD9sA0c',
  })
  @IsText(1, 512)
  refreshToken!: string;
}

export class AccessTokenDto {
  @ApiProperty({ minLength: 1, maxLength: 16_384, example: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1NyJ9.c2lnbmF0dXJl' })
  @IsText(1, 16_384)
  token!: string;
}

export class GuestDto {
  @ApiPropertyOptional({ description: 'Shown to others.', minLength: 1, maxLength: 200, example: 'Visitor' })
  @IfGiven()
  @IsText(1, 200)
  name?: string;
}

export class GuestPassBody {
  @ApiProperty({
    description: 'JWT for `Authorization: Bearer`. It cannot be refreshed.',
    example: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1NyJ9.c2lnbmF0dXJl',
  })
  accessToken!: string;

  @ApiProperty({ type: 'integer', description: 'Life of the guest in seconds.', example: 3600 })
  expiresIn!: number;

  @ApiProperty({ type: UserBody })
  user!: UserBody;
}

export class TokenPairBody {
  @ApiProperty({ description: 'JWT for `Authorization: Bearer`.', example: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1NyJ9.c2lnbmF0dXJl' })
  accessToken!: string;

  @ApiProperty({ description: 'For one refresh; a second use ends the login.', example: 'dQw4w9WgXcQ3mZ0yq1rT8uV5xB2nL6kJ7hG4fD9sA0c' })
  refreshToken!: string;

  @ApiProperty({ type: 'integer', description: 'Life of the access token in seconds.', example: 900 })
  expiresIn!: number;

  @ApiProperty({ type: UserBody })
  user!: UserBody;
}

export class TicketBody {
  @ApiProperty({ description: 'For one `GET /ws?ticket=`.', example: 'Zm9yIG9uZSBjb25uZWN0aW9uIG9ubHksIGluIDMwIHM' })
  ticket!: string;

  @ApiProperty({ format: 'date-time', example: '2026-11-24T12:00:30.000Z' })
  expiresAt!: string;
}
