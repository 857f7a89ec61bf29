import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { CurrentUser } from '../auth/current-user.js';
import type { Principal } from '../auth/principal.js';
import { ApiErrors } from '../errors/api-errors.js';
import { ApiIdempotencyKey, OptionalIdempotencyKey } from '../errors/idempotency-key.js';
import type { RoomView } from '../protocol/index.js';
import { PageQueryDto } from './page.dto.js';
import { RoomParams } from './room.params.js';
import { MyRoomPageBody, NewRoomDto, OwnRoleBody, PublicRoomsQueryDto, RoomBody, RoomChangesDto, RoomPageBody } from './rooms.dto.js';
import { RoomsService } from './rooms.service.js';

@ApiTags('rooms')
@ApiBearerAuth()
@Controller('v1')
export class RoomsController {
  constructor(private readonly rooms: RoomsService) {}

  @Post('rooms')
  @ApiOperation({
    summary: 'Make a room',
    description:
      'The caller owns it; in a direct room all are plain members. Asking for a direct room of the same members again, or again with the same ' +
      '`Idempotency-Key`, answers 200 and the room that is there, as it stands. A key that has made another kind of room is a `conflict`.',
  })
  @ApiIdempotencyKey('Of your choice, for trying again without making a second room.')
  @ApiCreatedResponse({ type: RoomBody, description: 'The room was made.' })
  @ApiOkResponse({ type: RoomBody, description: 'The room was there.' })
  @ApiErrors('validation_failed', 'unauthenticated', 'not_found', 'conflict', 'payload_too_large')
  async create(
    @CurrentUser() { userId }: Principal,
    @Body() draft: NewRoomDto,
    @OptionalIdempotencyKey() key: string | null,
    @Res({ passthrough: true }) response: Response,
  ): Promise<RoomView> {
    const { room, created } = await this.rooms.create(userId, draft, key);
    if (!created) response.status(200);
    return room;
  }

  @Get('rooms')
  @ApiOperation({
    summary: 'Public rooms to discover',
    description: 'Newest first; without archived ones and those that the caller is banned from.',
  })
  @ApiOkResponse({ type: RoomPageBody })
  @ApiErrors('validation_failed', 'unauthenticated')
  list(@CurrentUser() { userId }: Principal, @Query() { q, ...page }: PublicRoomsQueryDto): Promise<RoomPageBody> {
    return this.rooms.listPublic(userId, q, page);
  }

  @Get('me/rooms')
  @ApiOperation({
    summary: "The caller's rooms",
    description:
      'Newest room first: messages do not change the order, so that paging meets each room once. Sort by `lastMessage` to show them.',
  })
  @ApiOkResponse({ type: MyRoomPageBody })
  @ApiErrors('validation_failed', 'unauthenticated')
  listMine(@CurrentUser() { userId }: Principal, @Query() page: PageQueryDto): Promise<MyRoomPageBody> {
    return this.rooms.listMine(userId, page);
  }

  @Get('rooms/:room')
  @ApiOperation({ summary: 'A room', description: 'For members; of a public room for everybody who is not banned from it.' })
  @ApiOkResponse({ type: RoomBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  get(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams): Promise<RoomView> {
    return this.rooms.get(userId, room);
  }

  @Patch('rooms/:room')
  @ApiOperation({
    summary: 'Change a room, archive it or reopen it',
    description:
      'Name, topic and `meta` are for owners and moderators, in a direct room for every member; `archived` is for owners. Makes the event ' +
      '`room.updated` or `room.archived`; archiving ends every subscription. What changes nothing makes no event.',
  })
  @ApiOkResponse({ type: RoomBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'conflict', 'payload_too_large')
  update(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams, @Body() changes: RoomChangesDto): Promise<RoomView> {
    return this.rooms.update(userId, room, changes);
  }

  @Delete('rooms/:room')
  @ApiOperation({ summary: 'Delete a room', description: "For owners. Makes the event `room.deleted` and ends everybody's access." })
  @ApiOkResponse({ type: RoomBody, description: 'The room as it was last seen.' })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  remove(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams): Promise<RoomView> {
    return this.rooms.remove(userId, room);
  }

  @Post('rooms/:room/join')
  @HttpCode(200)
  @ApiOperation({ summary: 'Join a public room', description: 'Joining twice is no error and makes no event.' })
  @ApiOkResponse({ type: OwnRoleBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'conflict')
  join(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams): Promise<OwnRoleBody> {
    return this.rooms.join(userId, room);
  }

  @Post('rooms/:room/leave')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Leave a room',
    description: 'Not a direct one. The last owner cannot leave (`conflict`). Leaving a public room twice is no error and makes no event.',
  })
  @ApiNoContentResponse()
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'conflict')
  leave(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams): Promise<void> {
    return this.rooms.leave(userId, room);
  }
}
