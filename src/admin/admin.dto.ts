import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { UrlFlag } from '../errors/url-values.js';
import { IfGiven, IsUserId } from '../errors/validators.js';
import { LIMITS } from '../protocol/index.js';

export class UserParamsDto {
  @ApiProperty({ description: 'Id of the user.', maxLength: LIMITS.userIdChars, example: 'u7' })
  @IsUserId()
  user!: string;
}

/** Every act of administration that takes something away can be asked what it would do. */
export class DryRunQueryDto {
  @ApiPropertyOptional({
    type: String,
    enum: ['true', 'false'],
    default: 'false',
    description: 'With `true` nothing is done, and the answer says what would be.',
    example: 'true',
  })
  @IfGiven()
  @UrlFlag()
  dryRun?: boolean;
}

/** What a dry run answers where the act itself answers nothing. */
export class DryRunBody {
  @ApiProperty({ enum: [true], description: 'Nothing was done.', example: true })
  dryRun!: true;

  @ApiProperty({ type: 'integer', minimum: 0, description: 'How many would go; 0: nothing would change.', example: 1 })
  count!: number;
}
