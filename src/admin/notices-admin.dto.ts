import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IfGiven, IsOneOf, IsText, IsUserId, IsUuid } from '../errors/validators.js';
import { LIMITS } from '../protocol/index.js';

const NOTICE_LEVELS = ['info', 'warning', 'critical'] as const;

export class NoticeDto {
  @ApiProperty({ minLength: 1, maxLength: LIMITS.textChars, example: 'The server restarts at noon.' })
  @IsText(1, LIMITS.textChars)
  text!: string;

  @ApiProperty({ enum: NOTICE_LEVELS, example: 'info' })
  @IsOneOf(NOTICE_LEVELS)
  level!: (typeof NOTICE_LEVELS)[number];

  @ApiPropertyOptional({ description: 'The one user who gets it.', maxLength: LIMITS.userIdChars, example: 'u7' })
  @IfGiven()
  @IsUserId()
  user?: string;

  @ApiPropertyOptional({
    format: 'uuid',
    description: 'The room that it is about: without `user`, all connections that follow the room get it.',
    example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11',
  })
  @IfGiven()
  @IsUuid()
  room?: string;
}

export class NoticeAcceptedBody {
  @ApiProperty({ description: 'Names the notice in the logs.', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' })
  id!: string;
}
