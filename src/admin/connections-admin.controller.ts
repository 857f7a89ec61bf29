import { Controller, Delete, Get, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Audited } from '../audit/audited.js';
import { CurrentUser } from '../auth/current-user.js';
import type { Principal } from '../auth/principal.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { roomNotFound } from '../errors/chat-error.js';
import { RoomsRepository } from '../rooms/rooms.repository.js';
import { DryRunQueryDto } from './admin.dto.js';
import {
  ClosedConnectionsBody,
  ConnectionPageBody,
  ConnectionParamsDto,
  ConnectionsQueryDto,
  UserConnectionsQueryDto,
} from './connections-admin.dto.js';
import { ConnectionsAdminService } from './connections-admin.service.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/connections')
export class ConnectionsAdminController {
  constructor(
    private readonly connections: ConnectionsAdminService,
    private readonly rooms: RoomsRepository,
  ) {}

  @Get()
  @Audited('connection.list')
  @RequireScope('connections:read')
  @ApiOperation({
    summary: 'Open connections of all instances',
    description:
      'Sorted by id. Instances are asked when the request comes; while `incomplete` names one, its connections are not in the list.',
  })
  @ApiOkResponse({ type: ConnectionPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  async list(@Query() { cursor, limit, ...filter }: ConnectionsQueryDto): Promise<ConnectionPageBody> {
    if (filter.room !== undefined && !(await this.rooms.find(filter.room))) throw roomNotFound();
    return this.connections.list(filter, { cursor, limit });
  }

  @Delete()
  @Audited('connection.closeAll')
  @RequireScope('connections:write')
  @ApiOperation({
    summary: "Close all of a user's connections",
    description:
      'They close with 4002 on every instance, within a second, within two without Redis. The user may come back at once: to keep him away, disable ' +
      'him, ban him or sign him out. `forbidden` to an API key when he is an administrator.',
  })
  @ApiOkResponse({ type: ClosedConnectionsBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  async closeAll(@CurrentUser() by: Principal, @Query() { user, dryRun = false }: UserConnectionsQueryDto): Promise<ClosedConnectionsBody> {
    return { dryRun, ...(await this.connections.closeAllOf(user, by, dryRun)) };
  }

  @Delete(':connection')
  @Audited('connection.close')
  @RequireScope('connections:write')
  @ApiOperation({
    summary: 'Close a connection',
    description:
      'It closes with 4002, on whichever instance it is; one that is not open is no error. Its user may come back at once. `forbidden` to an API key when it is found, and an administrator’s.',
  })
  @ApiOkResponse({ type: ClosedConnectionsBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  async close(
    @CurrentUser() by: Principal,
    @Param() { connection }: ConnectionParamsDto,
    @Query() { dryRun = false }: DryRunQueryDto,
  ): Promise<ClosedConnectionsBody> {
    return { dryRun, ...(await this.connections.close(connection, by, dryRun)) };
  }
}
