import { Body, Controller, Delete, Get, Param, Patch, Put, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { CurrentUser } from '../auth/current-user.js';
import type { Principal } from '../auth/principal.js';
import { Audited } from '../audit/audited.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { ChatError, roomNotFound } from '../errors/chat-error.js';
import type { RoomView } from '../protocol/index.js';
import { Administrator } from '../rooms/caller.js';
import { MemberBody, MemberPageBody, MemberRoleDto } from '../rooms/members.dto.js';
import { MembersService } from '../rooms/members.service.js';
import { PageQueryDto } from '../rooms/page.dto.js';
import { RoomParams, RoomUserParams } from '../rooms/room.params.js';
import { RoomBody, RoomPageBody } from '../rooms/rooms.dto.js';
import { RoomsRepository } from '../rooms/rooms.repository.js';
import { RoomsService } from '../rooms/rooms.service.js';
import { DryRunQueryDto } from './admin.dto.js';
import { MemberRemovalQueryDto, RemovedRoomBody, RoomChangesAdminDto, RoomsQueryAdminDto } from './rooms-admin.dto.js';
import { RoomsAdminRepository } from './rooms-admin.repository.js';

/** Administrators act as owners would, in rooms that they are no members of: the same events come of it, with their ids in `by`. */
@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/rooms')
export class RoomsAdminController {
  constructor(
    private readonly found: RoomsAdminRepository,
    private readonly views: RoomsRepository,
    private readonly rooms: RoomsService,
    private readonly memberships: MembersService,
  ) {}

  @Get()
  @Audited('room.list')
  @RequireScope('rooms:read')
  @ApiOperation({
    summary: 'All rooms, listed or searched',
    description: 'Newest first, private and direct ones too; without deleted ones.',
  })
  @ApiOkResponse({ type: RoomPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  list(@Query() { cursor, limit, ...filter }: RoomsQueryAdminDto): Promise<RoomPageBody> {
    return this.found.list(filter, { cursor, limit });
  }

  @Get(':room')
  @Audited('room.read')
  @RequireScope('rooms:read')
  @ApiOperation({ summary: 'Any room' })
  @ApiOkResponse({ type: RoomBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  get(@Param() { room }: RoomParams): Promise<RoomView> {
    return this.#view(room);
  }

  @Patch(':room')
  @Audited('room.update')
  @RequireScope('rooms:write')
  @ApiOperation({
    summary: 'Change any room, archive it or reopen it',
    description:
      'Makes the event `room.updated` or `room.archived`, as when an owner does it; a direct room can be archived too. What changes nothing makes ' +
      'no event.',
  })
  @ApiOkResponse({ type: RoomBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'conflict', 'payload_too_large')
  update(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams, @Body() changes: RoomChangesAdminDto): Promise<RoomView> {
    return this.rooms.update(new Administrator(userId), room, changes);
  }

  @Delete(':room')
  @Audited('room.delete')
  @RequireScope('rooms:write')
  @ApiOperation({
    summary: 'Delete any room',
    description:
      "Makes the event `room.deleted` and ends everybody's access. With `dryRun=true` it only says what would go. Once more answers the same and " +
      'does nothing; a dry run, and all else, finds no such room then.',
  })
  @ApiOkResponse({ type: RemovedRoomBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  async remove(
    @CurrentUser() { userId }: Principal,
    @Param() { room }: RoomParams,
    @Query() { dryRun = false }: DryRunQueryDto,
  ): Promise<RemovedRoomBody> {
    const found = await this.found.removable(room);
    if (!found || (dryRun && found.isDeleted)) throw roomNotFound();
    const view = dryRun || found.isDeleted ? found.view : await this.#remove(new Administrator(userId), room);
    return { dryRun, room: view, ...found.contents };
  }

  @Get(':room/members')
  @Audited('member.list')
  @RequireScope('rooms:read')
  @ApiOperation({ summary: 'Members of any room', description: 'Sorted by user id.' })
  @ApiOkResponse({ type: MemberPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  members(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams, @Query() page: PageQueryDto): Promise<MemberPageBody> {
    return this.memberships.list(new Administrator(userId), room, page);
  }

  @Put(':room/members/:user')
  @Audited('member.set')
  @RequireScope('rooms:write')
  @ApiOperation({
    summary: 'Add a member to a room, or give one another role',
    description:
      'Every role; not in a direct room. Makes the event `member.joined` or `member.updated`, and none when he has the role already.',
  })
  @ApiOkResponse({ type: MemberBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'conflict', 'payload_too_large')
  setMember(
    @CurrentUser() { userId }: Principal,
    @Param() { room, user }: RoomUserParams,
    @Body() { role }: MemberRoleDto,
  ): Promise<MemberBody> {
    return this.memberships.set(new Administrator(userId), room, user, role);
  }

  @Delete(':room/members/:user')
  @Audited('member.remove')
  @RequireScope('rooms:write')
  @ApiOperation({
    summary: 'Remove a member from a room',
    description:
      'Makes the event `member.left` and ends his access; not from a direct room. The last owner stays until another member is one ' +
      '(`conflict`). Who is no member, or none any more, is no error.',
  })
  @ApiOkResponse({ type: MemberBody, description: 'The member as he was, or with `dryRun=true` as he is.' })
  @ApiNoContentResponse({ description: 'He is no member.' })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'conflict')
  async removeMember(
    @CurrentUser() { userId }: Principal,
    @Param() { room, user }: RoomUserParams,
    @Query() { reason, dryRun }: MemberRemovalQueryDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<MemberBody | undefined> {
    const member = await this.memberships.remove(new Administrator(userId), room, user, { reason, dryRun });
    if (!member) response.status(204);
    return member ?? undefined;
  }

  async #remove(by: Administrator, room: string): Promise<RoomView> {
    try {
      return await this.rooms.remove(by, room);
    } catch (error) {
      if (!(error instanceof ChatError && error.code === 'not_found')) throw error;
      // It was there a moment ago: somebody else has deleted it since.
      return (await this.found.removable(room))!.view;
    }
  }

  async #view(room: string): Promise<RoomView> {
    const view = await this.views.find(room);
    if (!view) throw roomNotFound();
    return view;
  }
}
