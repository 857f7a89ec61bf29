import { Body, Controller, Delete, Get, Header, HttpStatus, Param, Patch, Post, Put, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { CurrentUser } from '../auth/current-user.js';
import type { Principal } from '../auth/principal.js';
import { ApiErrors } from '../errors/api-errors.js';
import { IdempotencyKey } from '../errors/idempotency-key.js';
import { LIMITS, type Message } from '../protocol/index.js';
import { RoomParams } from '../rooms/room.params.js';
import { HistoryService } from './history.service.js';
import {
  EventsBody,
  EventsQueryDto,
  HistoryBody,
  HistoryQueryDto,
  MessageBody,
  MessageEditDto,
  MessageParams,
  NewMessageDto,
  ReadMarkBody,
  ReadMarkDto,
} from './message.dto.js';
import { MessageEdits } from './message-edits.service.js';
import { MessagingService } from './messaging.service.js';
import { type ReadMark, ReadMarks } from './read-marks.service.js';

@ApiTags('messages')
@ApiBearerAuth()
@Controller('v1/rooms/:room')
export class MessagesController {
  constructor(
    private readonly messaging: MessagingService,
    private readonly edits: MessageEdits,
    private readonly history: HistoryService,
    private readonly readMarks: ReadMarks,
  ) {}

  @Get('messages')
  @Header('content-type', 'application/json; charset=utf-8')
  @ApiOperation({
    summary: 'A page of the history',
    description:
      'Ascending by `seq`. At most one of `before`, `after` and `around` says where; without any of them the newest page comes. Messages that are ' +
      'nearest to that point are on the page, which ends early at 256 KiB. To page on, give the first `seq` as `before` or the last as `after`.',
  })
  @ApiOkResponse({ type: HistoryBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'not_found')
  page(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams, @Query() query: HistoryQueryDto): Promise<string> {
    return this.history.page(userId, { ...query, room });
  }

  @Post('messages')
  @ApiOperation({
    summary: 'Send a message',
    description: 'The answer means that the message is stored. Sent again with the same key it is the same message, as it stands.',
  })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: true,
    description: "Your own name for the message: the `clientId` that the socket's command has.",
    schema: { type: 'string', minLength: 1, maxLength: LIMITS.clientIdChars, example: 'b1d0a6c2' },
  })
  @ApiCreatedResponse({ type: MessageBody, description: 'The message was sent.' })
  @ApiOkResponse({ type: MessageBody, description: 'It was there already.' })
  @ApiErrors('validation_failed', 'unauthenticated', 'not_found', 'conflict', 'payload_too_large')
  async post(
    @CurrentUser() user: Principal,
    @Param() { room }: RoomParams,
    @IdempotencyKey() clientId: string,
    @Body() draft: NewMessageDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Message> {
    const { message, duplicate } = await this.messaging.post(user, { ...draft, room, clientId });
    if (duplicate) response.status(HttpStatus.OK);
    return message;
  }

  @Get('messages/:seq')
  @ApiOperation({ summary: 'One message', description: 'A deleted message is there, without its text.' })
  @ApiOkResponse({ type: MessageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'not_found')
  message(@CurrentUser() { userId }: Principal, @Param() { room, seq }: MessageParams): Promise<Message> {
    return this.history.message(userId, { room, seq });
  }

  @Patch('messages/:seq')
  @ApiOperation({
    summary: 'Edit a message of your own',
    description:
      '`text` or `meta` must be given. An edit that would change nothing makes no event, and is tested before `ifVersion`: so it is safe to try again. ' +
      'A `conflict` has the message as it stands in `current`, when it is deleted or has another version.',
  })
  @ApiOkResponse({ type: MessageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'not_found', 'conflict', 'payload_too_large')
  edit(@CurrentUser() user: Principal, @Param() { room, seq }: MessageParams, @Body() edit: MessageEditDto): Promise<Message> {
    return this.edits.edit(user, { ...edit, room, seq });
  }

  @Delete('messages/:seq')
  @ApiOperation({
    summary: 'Delete a message',
    description:
      'Senders delete their own messages, owners and moderators all. Answers what is left of it; deleting it again changes nothing.',
  })
  @ApiOkResponse({ type: MessageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'not_found', 'conflict')
  delete(@CurrentUser() user: Principal, @Param() { room, seq }: MessageParams): Promise<Message> {
    return this.edits.delete(user, { room, seq });
  }

  @Put('read')
  @ApiOperation({ summary: 'Set your read mark', description: 'It never goes back, and never beyond the head of the log.' })
  @ApiOkResponse({ type: ReadMarkBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'not_found', 'payload_too_large')
  setRead(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams, @Body() { seq }: ReadMarkDto): Promise<ReadMark> {
    return this.readMarks.set(userId, room, seq);
  }

  @Get('events')
  @Header('content-type', 'application/json; charset=utf-8')
  @ApiOperation({
    summary: "The room's log",
    description:
      'Every durable event behind `after`, in `seq` order and without a gap, ending early at 256 KiB. `unrecoverable` when events behind `after` ' +
      'are no longer kept: then read the room anew.',
  })
  @ApiOkResponse({ type: EventsBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'not_found', 'unrecoverable')
  async events(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams, @Query() query: EventsQueryDto): Promise<string> {
    const { events, ...place } = await this.history.events(userId, room, query.after, query.limit);
    // The events are JSON already, the very text that sockets get.
    return `{"events":[${events.join(',')}],${JSON.stringify(place).slice(1)}`;
  }
}
