import { Body, Controller, Delete, HttpCode, Param, Post, Put } from '@nestjs/common';
import { ApiAcceptedResponse, ApiBearerAuth, ApiNoContentResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { v7 as uuidv7 } from 'uuid';
import { AccessControl } from '../auth/access-control.service.js';
import { Audited } from '../audit/audited.js';
import { RequireScope } from '../auth/scopes.js';
import { RoomBus } from '../bus/room-bus.js';
import { ApiErrors } from '../errors/api-errors.js';
import { ephemeralFrame } from '../protocol/index.js';
import { NoticeAcceptedBody, NoticeDto, UserParamsDto } from './admin.dto.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin')
export class AdminController {
  constructor(
    private readonly access: AccessControl,
    private readonly bus: RoomBus,
  ) {}

  @Put('users/:user/ban')
  @Audited('user.ban')
  @RequireScope('users:write')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Ban a user from the server',
    description: 'His requests are refused and his sockets close with 4203. Needs the role `admin`.',
  })
  @ApiNoContentResponse()
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  ban(@Param() { user }: UserParamsDto): Promise<void> {
    return this.access.banUser(user);
  }

  @Delete('users/:user/ban')
  @Audited('user.unban')
  @RequireScope('users:write')
  @HttpCode(204)
  @ApiOperation({ summary: 'Lift the ban of a user', description: 'No error when there is none. Needs the role `admin`.' })
  @ApiNoContentResponse()
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  unban(@Param() { user }: UserParamsDto): Promise<void> {
    return this.access.unbanUser(user);
  }

  @Post('notices')
  @Audited('notice.send')
  @RequireScope('notices:write')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Send a notice to a user or to everybody',
    description: 'Goes as the event `notice` to the sockets that are open now; it is not kept. Needs the role `admin`.',
  })
  @ApiAcceptedResponse({ type: NoticeAcceptedBody })
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden')
  notify(@Body() { text, level, user }: NoticeDto): NoticeAcceptedBody {
    const id = uuidv7();
    this.bus.publishSignal({
      audience: user === undefined ? { kind: 'everybody' } : { kind: 'user', user },
      frame: ephemeralFrame('notice', { text, level }),
      key: `notice:${id}`,
    });
    return { id };
  }
}
