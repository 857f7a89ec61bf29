import { Controller, Delete, Get, HttpCode, Param } from '@nestjs/common';
import { ApiBearerAuth, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors } from '../errors/api-errors.js';
import { ChatError } from '../errors/chat-error.js';
import { AccessControl } from './access-control.service.js';
import { CurrentUser } from './current-user.js';
import type { Principal } from './principal.js';
import { OwnSessionListBody, OwnSessionParamsDto } from './sessions.dto.js';
import { SessionsService } from './sessions.service.js';

@ApiTags('users')
@ApiBearerAuth()
@Controller('v1/me/sessions')
export class SessionsController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly access: AccessControl,
  ) {}

  @Get()
  @ApiOperation({
    summary: "The caller's logins",
    description: 'Those that have neither ended nor expired, the newest first, at most 100.',
  })
  @ApiOkResponse({ type: OwnSessionListBody })
  @ApiErrors('unauthenticated')
  async list(@CurrentUser() { userId, sessionId }: Principal): Promise<OwnSessionListBody> {
    const sessions = await this.sessions.listLive(userId);
    return { items: sessions.map((session) => ({ ...session, current: session.id === sessionId })), nextCursor: null };
  }

  @Delete(':session')
  @HttpCode(204)
  @ApiOperation({
    summary: 'End a login of the caller',
    description:
      'Its refresh tokens, its access tokens and its sockets end, on every instance. No error when it has ended before. `forbidden` to an API key that acts for an administrator, and to a token that one minted for him.',
  })
  @ApiNoContentResponse()
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  async end(@CurrentUser() caller: Principal, @Param() { session }: OwnSessionParamsDto): Promise<void> {
    if (!(await this.access.endSession(caller.userId, session, caller))) throw new ChatError('not_found', 'There is no such login.');
  }
}
