import { Body, Controller, Delete, Param, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Audited } from '../audit/audited.js';
import { CurrentUser } from '../auth/current-user.js';
import type { Principal } from '../auth/principal.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { Administrator } from '../rooms/caller.js';
import { BanBody, BanDto, MuteBody, MuteDto } from '../rooms/members.dto.js';
import { MembersService } from '../rooms/members.service.js';
import { RoomUserParams } from '../rooms/room.params.js';
import { type DryRunBody, DryRunQueryDto } from './admin.dto.js';
import { RemovesInSilence, wouldGo } from './dry-run.js';

/** Bans and mutes in one room, as its owner would set and lift them: the same rules, the same events. All that there are: `/v1/admin/bans` and `/mutes`. */
@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/rooms/:room')
export class RoomSanctionsAdminController {
  constructor(private readonly members: MembersService) {}

  @Put('bans/:user')
  @Audited('room.ban')
  @RequireScope('rooms:write')
  @ApiOperation({
    summary: 'Ban a user from a room',
    description:
      'From any but a direct room; owners and moderators too. A member is removed by the event `member.left`, and who reads a public room is cut off. ' +
      'Once more replaces reason and end. Nobody bans himself.',
  })
  @ApiBody({ type: BanDto, required: false })
  @ApiOkResponse({ type: BanBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'conflict', 'payload_too_large')
  ban(@CurrentUser() { userId }: Principal, @Param() { room, user }: RoomUserParams, @Body() order: BanDto): Promise<BanBody> {
    return this.members.ban(new Administrator(userId), room, user, order);
  }

  @Delete('bans/:user')
  @Audited('room.unban')
  @RequireScope('rooms:write')
  @RemovesInSilence('whether there is a ban, as 1 or 0.')
  @ApiOperation({ summary: "Lift a user's ban from a room", description: 'Whoever set it. No error when there is none.' })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  unban(
    @CurrentUser() { userId }: Principal,
    @Param() { room, user }: RoomUserParams,
    @Query() { dryRun }: DryRunQueryDto,
  ): Promise<DryRunBody | undefined> {
    return this.#lift('ban', userId, room, user, dryRun);
  }

  @Put('mutes/:user')
  @Audited('room.mute')
  @RequireScope('rooms:write')
  @ApiOperation({
    summary: 'Mute a user in a room',
    description:
      'In any but a direct room; owners and moderators too. He reads on, and can neither send, edit nor type. Once more replaces reason and end. ' +
      'Nobody mutes himself.',
  })
  @ApiBody({ type: MuteDto, required: false })
  @ApiOkResponse({ type: MuteBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'payload_too_large')
  mute(@CurrentUser() { userId }: Principal, @Param() { room, user }: RoomUserParams, @Body() order: MuteDto): Promise<MuteBody> {
    return this.members.mute(new Administrator(userId), room, user, order);
  }

  @Delete('mutes/:user')
  @Audited('room.unmute')
  @RequireScope('rooms:write')
  @RemovesInSilence('whether there is a mute, as 1 or 0.')
  @ApiOperation({ summary: "Lift a user's mute in a room", description: 'Whoever set it. No error when there is none.' })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  unmute(
    @CurrentUser() { userId }: Principal,
    @Param() { room, user }: RoomUserParams,
    @Query() { dryRun }: DryRunQueryDto,
  ): Promise<DryRunBody | undefined> {
    return this.#lift('mute', userId, room, user, dryRun);
  }

  async #lift(kind: 'ban' | 'mute', by: string, room: string, user: string, dryRun = false): Promise<DryRunBody | undefined> {
    const isOn = await this.members.lift(kind, new Administrator(by), room, user, { dryRun });
    return dryRun ? wouldGo(isOn) : undefined;
  }
}
