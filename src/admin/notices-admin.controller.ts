import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiAcceptedResponse, ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Audited } from '../audit/audited.js';
import { CurrentUser } from '../auth/current-user.js';
import type { Principal } from '../auth/principal.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { roomNotFound } from '../errors/chat-error.js';
import { ApiIdempotencyKey, OptionalIdempotencyKey } from '../errors/idempotency-key.js';
import { RoomsRepository } from '../rooms/rooms.repository.js';
import { NoticeAcceptedBody, NoticeDto } from './notices-admin.dto.js';
import { Notices } from './notices.service.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/notices')
export class NoticesAdminController {
  constructor(
    private readonly notices: Notices,
    private readonly rooms: RoomsRepository,
  ) {}

  @Post()
  @Audited('notice.send')
  @RequireScope('notices:write')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Send a notice to a user, to a room or to everybody',
    description:
      'Goes as the event `notice` to the sockets that are open now, on every instance within two seconds at most; it is not kept. Again with the ' +
      'same `Idempotency-Key`, within a day, it is not sent twice and has the same id; `conflict` when the key has sent another notice.',
  })
  @ApiIdempotencyKey('Of your choice, for trying again without telling it twice.')
  @ApiAcceptedResponse({ type: NoticeAcceptedBody })
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'not_found', 'conflict')
  async notify(
    @CurrentUser() { userId }: Principal,
    @Body() notice: NoticeDto,
    @OptionalIdempotencyKey() key: string | null,
  ): Promise<NoticeAcceptedBody> {
    if (notice.room !== undefined && !(await this.rooms.find(notice.room))) throw roomNotFound();
    return { id: await this.notices.send(userId, notice, key) };
  }
}
