import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional } from 'class-validator';
import { UrlInteger } from '../errors/url-values.js';
import { IsText } from '../errors/validators.js';
import { LIMITS } from '../protocol/index.js';

const CURSOR_CHARS = 2_048;

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
  @UrlInteger(1, LIMITS.pageItems)
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
