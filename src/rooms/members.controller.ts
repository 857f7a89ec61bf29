import { Body, Controller, Delete, Get, HttpCode, Param, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser } from '../auth/current-user.js';
import type { Principal } from '../auth/principal.js';
import { ApiErrors } from '../errors/api-errors.js';
import {
  BanBody,
  BanDto,
  BanPageBody,
  MemberBody,
  MemberPageBody,
  MemberRoleDto,
  MuteBody,
  MuteDto,
  MutePageBody,
  RemovalQueryDto,
} from './members.dto.js';
import { MembersService } from './members.service.js';
import { PageQueryDto } from './page.dto.js';
import { RoomParams, RoomUserParams } from './room.params.js';

@ApiTags('rooms')
@ApiBearerAuth()
@Controller('v1/rooms/:room')
export class MembersController {
  constructor(private readonly members: MembersService) {}

  @Get('members')
  @ApiOperation({
    summary: 'Members of a room',
    description: 'Sorted by user id. Of a public room for everybody who is not banned from it.',
  })
  @ApiOkResponse({ type: MemberPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  list(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams, @Query() page: PageQueryDto): Promise<MemberPageBody> {
    return this.members.list(userId, room, page);
  }

  @Put('members/:user')
  @ApiOperation({
    summary: 'Add a member, or give one another role',
    description:
      'Moderators add plain members; owners give every role. The user may be one never seen here. Makes the event `member.joined` or ' +
      '`member.updated`, and none when he has the role already.',
  })
  @ApiOkResponse({ type: MemberBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'conflict', 'payload_too_large')
  set(@CurrentUser() { userId }: Principal, @Param() { room, user }: RoomUserParams, @Body() { role }: MemberRoleDto): Promise<MemberBody> {
    return this.members.set(userId, room, user, role);
  }

  @Delete('members/:user')
  @ApiOperation({
    summary: 'Remove a member',
    description:
      'Moderators remove plain members, owners everybody. Makes the event `member.left` and ends his access. Removing oneself is leaving.',
  })
  @ApiOkResponse({ type: MemberBody, description: 'The member as he was.' })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'conflict')
  async remove(
    @CurrentUser() { userId }: Principal,
    @Param() { room, user }: RoomUserParams,
    @Query() { reason }: RemovalQueryDto,
  ): Promise<MemberBody> {
    // Null is for administrators alone: by the rules nobody else removes who is no member.
    return (await this.members.remove(userId, room, user, { reason }))!;
  }

  @Get('bans')
  @ApiOperation({ summary: 'Users banned from a room', description: 'Sorted by user id; for owners and moderators.' })
  @ApiOkResponse({ type: BanPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  bans(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams, @Query() page: PageQueryDto): Promise<BanPageBody> {
    return this.members.listSanctions('ban', userId, room, page);
  }

  @Put('bans/:user')
  @ApiOperation({
    summary: 'Ban a user from a room',
    description:
      'He is removed, and can neither read, join nor be added. Moderators ban plain members and non-members, owners everybody else.',
  })
  @ApiBody({ type: BanDto, required: false })
  @ApiOkResponse({ type: BanBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'payload_too_large')
  ban(@CurrentUser() { userId }: Principal, @Param() { room, user }: RoomUserParams, @Body() order: BanDto): Promise<BanBody> {
    return this.members.ban(userId, room, user, order);
  }

  @Get('mutes')
  @ApiOperation({ summary: 'Users muted in a room', description: 'Sorted by user id; for owners and moderators.' })
  @ApiOkResponse({ type: MutePageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  mutes(@CurrentUser() { userId }: Principal, @Param() { room }: RoomParams, @Query() page: PageQueryDto): Promise<MutePageBody> {
    return this.members.listSanctions('mute', userId, room, page);
  }

  @Put('mutes/:user')
  @ApiOperation({
    summary: 'Mute a user in a room',
    description:
      'He reads on, and can neither send, edit nor type; leaving and joining again does not lift it. Moderators mute plain members and ' +
      'non-members, owners everybody else.',
  })
  @ApiBody({ type: MuteDto, required: false })
  @ApiOkResponse({ type: MuteBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'payload_too_large')
  mute(@CurrentUser() { userId }: Principal, @Param() { room, user }: RoomUserParams, @Body() order: MuteDto): Promise<MuteBody> {
    return this.members.mute(userId, room, user, order);
  }

  @Delete('mutes/:user')
  @HttpCode(204)
  @ApiOperation({ summary: 'Lift the mute of a user', description: 'No error when there is none.' })
  @ApiNoContentResponse()
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  async unmute(@CurrentUser() { userId }: Principal, @Param() { room, user }: RoomUserParams): Promise<void> {
    await this.members.lift('mute', userId, room, user);
  }

  @Delete('bans/:user')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Lift the ban of a user',
    description: 'He is no member until he joins or is added. No error when there is no ban.',
  })
  @ApiNoContentResponse()
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  async unban(@CurrentUser() { userId }: Principal, @Param() { room, user }: RoomUserParams): Promise<void> {
    await this.members.lift('ban', userId, room, user);
  }
}
