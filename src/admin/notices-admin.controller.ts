import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiAcceptedResponse, ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { v7 as uuidv7 } from 'uuid';
import { Audited } from '../audit/audited.js';
import { RequireScope } from '../auth/scopes.js';
import { type Audience, RoomBus } from '../bus/room-bus.js';
import { ApiErrors } from '../errors/api-errors.js';
import { roomNotFound } from '../errors/chat-error.js';
import { ephemeralFrame } from '../protocol/index.js';
import { RoomsRepository } from '../rooms/rooms.repository.js';
import { NoticeAcceptedBody, NoticeDto } from './notices-admin.dto.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/notices')
export class NoticesAdminController {
  constructor(
    private readonly bus: RoomBus,
    private readonly rooms: RoomsRepository,
  ) {}

  @Post()
  @Audited('notice.send')
  @RequireScope('notices:write')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Send a notice to a user, to a room or to everybody',
    description: 'Goes as the event `notice` to the sockets that are open now; it is not kept.',
  })
  @ApiAcceptedResponse({ type: NoticeAcceptedBody })
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'not_found')
  async notify(@Body() { text, level, user, room }: NoticeDto): Promise<NoticeAcceptedBody> {
    if (room !== undefined && !(await this.rooms.find(room))) throw roomNotFound();
    const id = uuidv7();
    this.bus.publishSignal({
      audience: audienceOf(user, room),
      frame: ephemeralFrame('notice', { text, level, ...(room !== undefined && { room }) }),
      key: `notice:${id}`,
    });
    return { id };
  }
}

function audienceOf(user: string | undefined, room: string | undefined): Audience {
  if (user !== undefined) return { kind: 'user', user };
  return room === undefined ? { kind: 'everybody' } : { kind: 'room', room };
}
