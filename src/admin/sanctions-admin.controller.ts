import { Body, Controller, Delete, Get, HttpCode, Param, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AccessControl } from '../auth/access-control.service.js';
import { Audited } from '../audit/audited.js';
import { CurrentUser } from '../auth/current-user.js';
import type { Principal } from '../auth/principal.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { type DryRunBody, DryRunQueryDto, UserParamsDto } from './admin.dto.js';
import { RemovesInSilence, wouldGo } from './dry-run.js';
import { SanctionDto, SanctionPageBody, SanctionQueryDto } from './sanctions.dto.js';
import { SanctionsRepository } from './sanctions.repository.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin')
export class SanctionsAdminController {
  constructor(
    private readonly access: AccessControl,
    private readonly sanctions: SanctionsRepository,
  ) {}

  @Put('users/:user/ban')
  @Audited('user.ban')
  @RequireScope('users:write')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Ban a user from the server',
    description:
      'His requests are refused and his sockets close with 4203. Once more replaces reason and end. `conflict` for oneself, and for the last ' +
      'administrator who can log in; `forbidden` to an API key, and to a token that one minted, when he is an administrator.',
  })
  @ApiBody({ type: SanctionDto, required: false })
  @ApiNoContentResponse()
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'conflict')
  ban(@CurrentUser() by: Principal, @Param() { user }: UserParamsDto, @Body() order: SanctionDto): Promise<void> {
    return this.access.banUser(user, { ...order, by });
  }

  @Delete('users/:user/ban')
  @Audited('user.unban')
  @RequireScope('users:write')
  @RemovesInSilence('whether there is a ban, as 1 or 0.')
  @ApiOperation({ summary: 'Lift the ban of a user', description: 'No error when there is none.' })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  async unban(
    @CurrentUser() by: Principal,
    @Param() { user }: UserParamsDto,
    @Query() { dryRun }: DryRunQueryDto,
  ): Promise<DryRunBody | undefined> {
    if (dryRun) return this.#wouldLift('bans', user, by);
    await this.access.unbanUser(user, by);
    return undefined;
  }

  @Put('users/:user/mute')
  @Audited('user.mute')
  @RequireScope('users:write')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Mute a user on the whole server',
    description:
      'He reads on, and can neither send, edit nor type, in any room. Once more replaces reason and end. `conflict` for oneself; `forbidden` to an ' +
      'API key, and to a token that one minted, when he is an administrator.',
  })
  @ApiBody({ type: SanctionDto, required: false })
  @ApiNoContentResponse()
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'conflict')
  mute(@CurrentUser() by: Principal, @Param() { user }: UserParamsDto, @Body() order: SanctionDto): Promise<void> {
    return this.access.muteUser(user, { ...order, by });
  }

  @Delete('users/:user/mute')
  @Audited('user.unmute')
  @RequireScope('users:write')
  @RemovesInSilence('whether there is a mute, as 1 or 0.')
  @ApiOperation({ summary: 'Lift the mute of a user', description: 'No error when there is none.' })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  async unmute(
    @CurrentUser() by: Principal,
    @Param() { user }: UserParamsDto,
    @Query() { dryRun }: DryRunQueryDto,
  ): Promise<DryRunBody | undefined> {
    if (dryRun) return this.#wouldLift('mutes', user, by);
    await this.access.unmuteUser(user, by);
    return undefined;
  }

  @Get('bans')
  @Audited('ban.list')
  @RequireScope('users:read')
  @ApiOperation({ summary: 'Bans of the server and of its rooms', description: 'Sorted by user id.' })
  @ApiOkResponse({ type: SanctionPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  bans(@Query() { cursor, limit, ...filter }: SanctionQueryDto): Promise<SanctionPageBody> {
    return this.sanctions.list('bans', filter, { cursor, limit });
  }

  @Get('mutes')
  @Audited('mute.list')
  @RequireScope('users:read')
  @ApiOperation({ summary: 'Mutes of the server and of its rooms', description: 'Sorted by user id.' })
  @ApiOkResponse({ type: SanctionPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  mutes(@Query() { cursor, limit, ...filter }: SanctionQueryDto): Promise<SanctionPageBody> {
    return this.sanctions.list('mutes', filter, { cursor, limit });
  }

  async #wouldLift(kind: 'bans' | 'mutes', user: string, by: Principal): Promise<DryRunBody> {
    await this.access.assertMayActOn(user, by);
    return wouldGo(await this.sanctions.isOn(kind, user));
  }
}
