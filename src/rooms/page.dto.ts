import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsInt, IsOptional, Max, Min } from 'class-validator';
import { IsText } from '../errors/validators.js';
import { LIMITS } from '../protocol/index.js';

const LIMIT_RULE = { message: `must be an integer from 1 to ${LIMITS.pageItems}` };
const CURSOR_CHARS = 2_048;

// Nothing but digits: neither 1e2, nor 0x10, nor nothing at all.
const digits = ({ value }: { value: unknown }) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value);

export class PageQueryDto {
  @ApiPropertyOptional({
    description: 'The `nextCursor` of the page before. It holds for this list only, and stays valid while the list changes.',
    minLength: 1,
    maxLength: CURSOR_CHARS,
    example: 'WyJxM2',
  })
  @IsOptional()
  @IsText(1, CURSOR_CHARS)
  cursor?: string;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: LIMITS.pageItems,
    default: LIMITS.pageItemsDefault,
    description: 'At most so many items.',
    example: 50,
  })
  @Transform(digits)
  @IsInt(LIMIT_RULE)
  @Min(1, LIMIT_RULE)
  @Max(LIMITS.pageItems, LIMIT_RULE)
  limit: number = LIMITS.pageItemsDefault;
}

export abstract class PageBody {
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Hand it back as `cursor` for the next page; null on the last one.',
    example: null,
  })
  nextCursor!: string | null;
}
