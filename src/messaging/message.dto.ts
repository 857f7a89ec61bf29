import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ValidateBy } from 'class-validator';
import { UrlInteger } from '../errors/url-values.js';
import { IfGiven, IsInteger, IsMeta, IsText } from '../errors/validators.js';
import { LIMITS, type Message, type Meta } from '../protocol/index.js';
import { RoomParams } from '../rooms/room.params.js';

const META = {
  type: 'object',
  additionalProperties: true,
  description: `Anything of yours, in at most ${LIMITS.metaBytes} bytes of JSON and ${LIMITS.metaDepth} levels.`,
  example: { mood: 'good' },
} as const;
const TEXT = { minLength: 1, maxLength: LIMITS.textChars, example: 'hi' } as const;
const SEQ = { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER } as const;
const POSITION = { ...SEQ, minimum: 0 } as const;

function IsGivenWithout(...others: string[]): PropertyDecorator {
  return ValidateBy({
    name: 'isGivenWithout',
    validator: {
      validate: (_, given) => others.every((other) => (given?.object as Record<string, unknown>)[other] === undefined),
      defaultMessage: () => `must not be given together with ${others.join(' or ')}`,
    },
  });
}

export class MessageParams extends RoomParams {
  @ApiProperty({ ...SEQ, description: 'Names the message in its room.', example: 118 })
  @UrlInteger(1, Number.MAX_SAFE_INTEGER)
  seq!: number;
}

export class NewMessageDto {
  @ApiProperty(TEXT)
  @IsText(1, LIMITS.textChars)
  text!: string;

  @ApiPropertyOptional(META)
  @IfGiven()
  @IsMeta()
  meta?: Meta;
}

export class MessageEditDto {
  @ApiPropertyOptional(TEXT)
  @IfGiven()
  @IsText(1, LIMITS.textChars)
  text?: string;

  @ApiPropertyOptional(META)
  @IfGiven()
  @IsMeta()
  meta?: Meta;

  @ApiPropertyOptional({
    ...SEQ,
    description: 'The `version` that the edit is made from; `conflict` when the message has another.',
    example: 1,
  })
  @IfGiven()
  @IsInteger(1, Number.MAX_SAFE_INTEGER)
  ifVersion?: number;
}

export class HistoryQueryDto {
  @ApiPropertyOptional({ ...SEQ, description: 'The newest messages whose `seq` is below this.', example: 118 })
  @IfGiven()
  @UrlInteger(1, Number.MAX_SAFE_INTEGER)
  @IsGivenWithout('after', 'around')
  before?: number;

  @ApiPropertyOptional({ ...POSITION, description: 'The oldest messages whose `seq` is above this.', example: 118 })
  @IfGiven()
  @UrlInteger(0, Number.MAX_SAFE_INTEGER)
  @IsGivenWithout('before', 'around')
  after?: number;

  @ApiPropertyOptional({
    ...SEQ,
    description: 'The message of this `seq`, where there is one, in the middle of its neighbours.',
    example: 118,
  })
  @IfGiven()
  @UrlInteger(1, Number.MAX_SAFE_INTEGER)
  @IsGivenWithout('before', 'after')
  around?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: LIMITS.pageItems,
    default: LIMITS.pageItemsDefault,
    description: 'At most so many messages.',
    example: 50,
  })
  @IfGiven()
  @UrlInteger(1, LIMITS.pageItems)
  limit?: number;
}

export class EventsQueryDto {
  @ApiPropertyOptional({
    ...POSITION,
    description: 'The `seq` of the last event that you have; without it, from the oldest that is kept.',
    example: 118,
  })
  @IfGiven()
  @UrlInteger(0, Number.MAX_SAFE_INTEGER)
  after?: number;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: LIMITS.eventPageItems,
    default: LIMITS.eventPageItems,
    description: 'At most so many events.',
    example: 100,
  })
  @IfGiven()
  @UrlInteger(1, LIMITS.eventPageItems)
  limit?: number;
}

export class ReadMarkDto {
  @ApiProperty({
    ...POSITION,
    description: 'Read up to here. Beyond the head it counts as the head; below the mark it changes nothing.',
    example: 118,
  })
  @IsInteger(0, Number.MAX_SAFE_INTEGER)
  seq!: number;
}

export class ReadMarkBody {
  @ApiProperty({ ...POSITION, example: 118 })
  readSeq!: number;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    maximum: LIMITS.unreadMax,
    description: 'Messages of others behind the mark that are not deleted; stops at the maximum.',
    example: 3,
  })
  unread!: number;
}

/** A message as it stands. */
export class MessageBody implements Message {
  @ApiProperty({ ...SEQ, description: 'Names the message in its room.', example: 118 })
  seq!: number;

  @ApiProperty({
    ...SEQ,
    description: 'The seq of the last event that this reflects: ignore events about the message up to it.',
    example: 121,
  })
  lastSeq!: number;

  @ApiProperty({ description: "The sender's user id.", example: 'u7' })
  sender!: string;

  @ApiProperty({ description: "The sender's own name for it, its `Idempotency-Key`.", example: 'b1d0a6c2' })
  clientId!: string;

  @ApiProperty({ maxLength: LIMITS.textChars, description: 'Empty once the message is deleted.', example: 'hi' })
  text!: string;

  @ApiProperty(META)
  meta!: Meta;

  @ApiProperty({ type: 'integer', minimum: 1, description: 'Grows by one with each edit, from 1.', example: 1 })
  version!: number;

  @ApiProperty({ format: 'date-time', example: '2026-11-24T12:00:00.000Z' })
  createdAt!: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  editedAt!: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  deletedAt!: string | null;
}

class LogPlaceBody {
  @ApiProperty({
    description: 'Changes only when a seq could have been used twice: then drop what you hold of the room.',
    example: 'k3v9x2',
  })
  epoch!: string;

  @ApiProperty({ ...SEQ, description: 'The oldest event that is kept; 1 in an empty room.', example: 1 })
  firstSeq!: number;

  @ApiProperty({ ...POSITION, description: "The newest event's seq; 0 in a room without any.", example: 121 })
  headSeq!: number;
}

export class HistoryBody extends LogPlaceBody {
  @ApiProperty({ type: [MessageBody], description: 'Ascending by `seq`; deleted ones are there, without their text.' })
  messages!: Message[];

  @ApiProperty({ description: 'There are messages before the first one here.', example: true })
  hasBefore!: boolean;

  @ApiProperty({ description: 'There are messages after the last one here.', example: false })
  hasAfter!: boolean;
}

export class DurableEventBody {
  @ApiProperty({ example: 'message.created' })
  event!: string;

  @ApiProperty({ format: 'uuid', example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11' })
  room!: string;

  @ApiProperty({ ...SEQ, example: 119 })
  seq!: number;

  @ApiProperty({ format: 'date-time', example: '2026-11-24T12:00:00.000Z' })
  at!: string;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: 'By the kind of event. A message is shown as it stands now.',
    example: { user: 'u8', role: 'member', by: 'u7' },
  })
  data!: object;
}

export class EventsBody extends LogPlaceBody {
  @ApiProperty({
    type: [DurableEventBody],
    description: 'The next events in `seq` order, without a gap; empty when there are none yet. Ask again with the seq of the last one.',
  })
  events!: DurableEventBody[];
}
