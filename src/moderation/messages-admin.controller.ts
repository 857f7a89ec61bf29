import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Audited } from '../audit/audited.js';
import { CurrentUser } from '../auth/current-user.js';
import type { Principal } from '../auth/principal.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { MessageParams } from '../messaging/message.dto.js';
import { MessageRemovals } from './message-removals.service.js';
import { MessageSearch } from './message-search.service.js';
import {
  BulkRemovalBody,
  BulkRemovalDto,
  FoundMessagePageBody,
  MessageSearchDto,
  ModeratedMessageBody,
  RemovalDto,
} from './messages-admin.dto.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/messages')
export class MessagesAdminController {
  constructor(
    private readonly search: MessageSearch,
    private readonly removals: MessageRemovals,
  ) {}

  @Get()
  @Audited('message.search')
  @RequireScope('messages:read')
  @ApiOperation({
    summary: 'Find messages in all rooms',
    description:
      'By room, in a room the newest first. One page looks at 10,000 messages and visits 10,000 rooms at most, 500 for a time: it may have few items, or none, ' +
      'and a `nextCursor` all the same. Name a room, a sender or a time where you can: only what is in that is looked at.',
  })
  @ApiOkResponse({ type: FoundMessagePageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  find(@Query() { cursor, limit, ...filter }: MessageSearchDto): Promise<FoundMessagePageBody> {
    return this.search.find(filter, { cursor, limit });
  }

  @Get(':room/:seq')
  @Audited('message.inspect')
  @RequireScope('messages:read')
  @ApiOperation({ summary: 'A message, and what was removed of it' })
  @ApiOkResponse({ type: ModeratedMessageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  message(@Param() { room, seq }: MessageParams): Promise<ModeratedMessageBody> {
    return this.removals.find({ room, seq });
  }

  @Post(':room/:seq/remove')
  @Audited('message.remove')
  @RequireScope('messages:write')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Remove a message',
    description:
      'As a deletion: the event `message.deleted` empties it for everybody. What it said is kept for moderators. A message that is deleted ' +
      'already stays as it is.',
  })
  @ApiOkResponse({ type: ModeratedMessageBody })
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'not_found')
  remove(
    @CurrentUser() { userId: by }: Principal,
    @Param() { room, seq }: MessageParams,
    @Body() order: RemovalDto,
  ): Promise<ModeratedMessageBody> {
    return this.removals.remove({ room, seq }, { ...order, by });
  }

  @Post(':room/:seq/restore')
  @Audited('message.restore')
  @RequireScope('messages:write')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Bring back a message that was removed, by an administrator or a moderator of its room',
    description:
      'By the event `message.updated`, as it was, with the next `version`. A message that is not deleted stays as it is; `conflict` when its ' +
      'sender deleted it, and when what it said is no longer kept, after `REMOVED_TEXT_DAYS`.',
  })
  @ApiOkResponse({ type: ModeratedMessageBody })
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'not_found', 'conflict')
  restore(
    @CurrentUser() { userId: by }: Principal,
    @Param() { room, seq }: MessageParams,
    @Body() order: RemovalDto,
  ): Promise<ModeratedMessageBody> {
    return this.removals.restore({ room, seq }, { ...order, by });
  }

  @Post('remove')
  @Audited('message.removeAll')
  @RequireScope('messages:write')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Remove all messages of a sender',
    description:
      'Each as by removing it alone, a thousand a call: call again while `complete` is false. What fails in between has removed some, and is ' +
      'safe to call again.',
  })
  @ApiOkResponse({ type: BulkRemovalBody })
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden')
  removeAll(@CurrentUser() { userId: by }: Principal, @Body() { reason, dryRun, ...which }: BulkRemovalDto): Promise<BulkRemovalBody> {
    return this.removals.removeAllOf(which, { reason, dryRun, by });
  }
}
