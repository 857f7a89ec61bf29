import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import { Lifecycle } from '../config/lifecycle.js';
import { ApiErrors } from '../errors/api-errors.js';
import { ChatError } from '../errors/chat-error.js';
import { OpenConnections } from '../limits/open-connections.js';
import { CurrentUser } from './current-user.js';
import type { Principal } from './principal.js';
import { UserDirectory } from './user-directory.js';
import { MeBody, UserListBody, UsersQueryDto } from './user.dto.js';

@ApiTags('users')
@ApiBearerAuth()
@Controller('v1')
export class UsersController {
  constructor(
    private readonly directory: UserDirectory,
    private readonly lifecycle: Lifecycle,
    private readonly connections: OpenConnections,
  ) {}

  @Get('me')
  @ApiOperation({
    summary: 'The user of the token',
    description: 'Refuses whom a socket would be refused to: browsers cannot read why a socket failed to open.',
  })
  @ApiOkResponse({ type: MeBody })
  @ApiErrors('unauthenticated')
  async me(@CurrentUser() principal: Principal): Promise<MeBody> {
    if (this.lifecycle.isDraining) throw new ChatError('unavailable', 'The server is stopping.', { retryAfterMs: 1_000 });
    await this.connections.assertRoomFor(principal.userId);
    const [users, statuses] = await Promise.all([this.directory.find([principal.userId]), this.directory.statuses([principal.userId])]);
    return { ...users[0]!, status: statuses.get(principal.userId)!, roles: principal.roles };
  }

  @Get('users')
  @ApiOperation({ summary: 'Users by their ids', description: 'In the order of the ids; ids that the server has never seen are left out.' })
  @ApiQuery({
    name: 'ids',
    type: String,
    description: 'Up to 100 ids, separated by commas, or one a parameter.',
    example: '0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11,u7',
  })
  @ApiOkResponse({ type: UserListBody })
  @ApiErrors('validation_failed', 'unauthenticated')
  async users(@Query() { ids }: UsersQueryDto): Promise<UserListBody> {
    return { items: await this.directory.find(ids), nextCursor: null };
  }
}
