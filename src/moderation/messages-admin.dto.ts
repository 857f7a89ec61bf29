import { ApiProperty, ApiPropertyOptional, IntersectionType } from '@nestjs/swagger';
import { UrlFlag } from '../errors/url-values.js';
import { IfGiven, IsFlag, IsReason, IsText, IsTime, IsUserId, IsUuid } from '../errors/validators.js';
import { MessageBody } from '../messaging/message.dto.js';
import { LIMITS, type Message, type Meta } from '../protocol/index.js';
import { PageBody, PageQueryDto } from '../rooms/page.dto.js';
import type { ModeratorAct, RemovalView } from '../messaging/message-removal.entity.js';
import type { BulkRemoval, ModeratedMessage } from './message-removals.service.js';
import type { FoundMessage } from './message-search.service.js';

const ROOM = { format: 'uuid', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' } as const;
const TIME = { type: String, format: 'date-time', example: '2026-11-24T12:00:00.000Z' } as const;
const REASON = { minLength: 1, maxLength: LIMITS.reasonChars, example: 'Advertising' } as const;
const USER = { minLength: 1, maxLength: LIMITS.userIdChars, example: 'u9' } as const;

/** Where and when messages were sent. */
class MessageSelectionDto {
  @ApiPropertyOptional({ ...ROOM, description: 'Only of this room.' })
  @IfGiven()
  @IsUuid()
  room?: string;

  @ApiPropertyOptional({ ...TIME, description: 'Sent at this time or later.' })
  @IfGiven()
  @IsTime()
  from?: Date;

  @ApiPropertyOptional({ ...TIME, description: 'Sent before this time.' })
  @IfGiven()
  @IsTime()
  to?: Date;
}

export class MessageSearchDto extends IntersectionType(MessageSelectionDto, PageQueryDto) {
  @ApiPropertyOptional({ ...USER, description: 'Only of this sender.' })
  @IfGiven()
  @IsUserId()
  sender?: string;

  @ApiPropertyOptional({
    description: 'A part of the text, in any case; of a removed message, of what was removed.',
    minLength: 1,
    maxLength: 200,
    example: 'buy',
  })
  @IfGiven()
  @IsText(1, 200)
  text?: string;

  @ApiPropertyOptional({
    enum: ['true', 'false'],
    type: String,
    description: 'Whether deleted messages, and those of deleted rooms, are among them.',
    example: 'true',
  })
  @IfGiven()
  @UrlFlag()
  includeDeleted?: boolean;
}

export class RemovalDto {
  @ApiProperty({ ...REASON, description: 'Kept for other moderators; nobody else sees it.' })
  @IsReason()
  reason!: string;

  @ApiPropertyOptional({ description: 'Answer what would come of it, and change nothing.', example: false })
  @IfGiven()
  @IsFlag()
  dryRun?: boolean;
}

export class BulkRemovalDto extends IntersectionType(RemovalDto, MessageSelectionDto) {
  @ApiProperty({ ...USER, description: 'Whose messages.' })
  @IsUserId()
  sender!: string;
}

export class BulkRemovalBody implements BulkRemoval {
  @ApiProperty({ type: 'integer', description: 'Removed by this call; with `dryRun`, all that there are to remove.', example: 42 })
  messages!: number;

  @ApiProperty({ type: 'integer', description: 'In so many rooms.', example: 3 })
  rooms!: number;

  @ApiProperty({ description: 'False: one call does not do it; there are more, call again.', example: true })
  complete!: boolean;
}

export class FoundMessageBody implements FoundMessage {
  @ApiProperty({ ...ROOM, description: 'Id of the room.' })
  room!: string;

  @ApiProperty({ type: MessageBody })
  message!: Message;
}

export class FoundMessagePageBody extends PageBody {
  @ApiProperty({ type: [FoundMessageBody] })
  items!: FoundMessage[];
}

export class ModeratorActBody implements ModeratorAct {
  @ApiProperty({ description: 'Id of the user who did it.', example: 'u1' })
  by!: string;

  @ApiProperty(REASON)
  reason!: string;

  @ApiProperty(TIME)
  at!: string;
}

export class RemovalBody implements RemovalView {
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'What was taken out; null when it is no longer kept, after `REMOVED_TEXT_DAYS`.',
    example: 'Buy now',
  })
  text!: string | null;

  @ApiProperty({ type: 'object', additionalProperties: true, description: 'What was taken out; empty when `text` is null.', example: {} })
  meta!: Meta;

  @ApiProperty({ type: ModeratorActBody })
  removed!: ModeratorAct;

  @ApiProperty({
    oneOf: [{ $ref: '#/components/schemas/ModeratorActBody' }, { type: 'object', nullable: true, enum: [null] }],
    description: 'Who brought it back, and why; null when nobody did.',
  })
  restored!: ModeratorAct | null;
}

export class ModeratedMessageBody extends FoundMessageBody implements ModeratedMessage {
  @ApiProperty({ type: [RemovalBody], description: 'What moderators took out of it; the last removal first.' })
  removals!: RemovalView[];
}
