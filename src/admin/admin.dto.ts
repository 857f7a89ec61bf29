import { ApiProperty } from '@nestjs/swagger';
import { IsUserId } from '../errors/validators.js';
import { LIMITS } from '../protocol/index.js';

export class UserParamsDto {
  @ApiProperty({ description: 'Id of the user.', maxLength: LIMITS.userIdChars, example: 'u7' })
  @IsUserId()
  user!: string;
}
