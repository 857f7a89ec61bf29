import { Body, Controller, Delete, Get, Param, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AccessControl } from '../auth/access-control.service.js';
import { ApiKeys } from '../auth/api-keys.service.js';
import { CurrentUser } from '../auth/current-user.js';
import type { Principal } from '../auth/principal.js';
import { Audited } from '../audit/audited.js';
import { RequireScope } from '../auth/scopes.js';
import { SessionsService } from '../auth/sessions.service.js';
import { ApiErrors } from '../errors/api-errors.js';
import { ChatError } from '../errors/chat-error.js';
import { PageCursor } from '../rooms/page-cursor.js';
import { PageQueryDto } from '../rooms/page.dto.js';
import { type DryRunBody, DryRunQueryDto, UserParamsDto } from './admin.dto.js';
import { RemovesInSilence, wouldGo } from './dry-run.js';
import {
  AdminSessionPageBody,
  AdminUserDetailBody,
  AdminUserPageBody,
  DisabledDto,
  RolesDto,
  SessionParamsDto,
  UsersQueryAdminDto,
} from './users-admin.dto.js';
import { type AdminUserDetail, UsersAdminRepository } from './users-admin.repository.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/users')
export class UsersAdminController {
  constructor(
    private readonly users: UsersAdminRepository,
    private readonly logins: SessionsService,
    private readonly access: AccessControl,
    private readonly keys: ApiKeys,
  ) {}

  @Get()
  @Audited('user.list')
  @RequireScope('users:read')
  @ApiOperation({ summary: 'Users, listed or searched', description: 'Sorted by id.' })
  @ApiOkResponse({ type: AdminUserPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  list(@Query() { cursor, limit, ...filter }: UsersQueryAdminDto): Promise<AdminUserPageBody> {
    return this.users.list(filter, { cursor, limit });
  }

  @Get(':user')
  @Audited('user.read')
  @RequireScope('users:read')
  @ApiOperation({ summary: 'A user' })
  @ApiOkResponse({ type: AdminUserDetailBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  get(@Param() { user }: UserParamsDto): Promise<AdminUserDetailBody> {
    return this.#find(user);
  }

  @Put(':user/disabled')
  @Audited('user.disable')
  @RequireScope('users:write')
  @ApiOperation({
    summary: 'Disable a user, or enable him again',
    description:
      'A disabled user cannot log in, call or open a socket, and his sockets close with 4203 on every instance. His logins, rooms and messages ' +
      'stay, and so do the API keys that he made (`apiKeyCount`; `DELETE …/api-keys` revokes them); the tokens that he had signed for others are void. ' +
      '`conflict` for oneself, and for the last administrator who can log in; `forbidden` to an API key, and to a token that one minted, when he is an administrator.',
  })
  @ApiOkResponse({ type: AdminUserDetailBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'conflict', 'payload_too_large')
  async setDisabled(
    @CurrentUser() by: Principal,
    @Param() { user }: UserParamsDto,
    @Body() { disabled, reason }: DisabledDto,
  ): Promise<AdminUserDetailBody> {
    const isKnown = disabled ? await this.access.disableUser(user, by, reason ?? null) : await this.access.enableUser(user, by);
    if (!isKnown) throw userNotFound();
    return this.#find(user);
  }

  @Put(':user/roles')
  @Audited('user.roles')
  @RequireScope('users:write')
  @ApiOperation({
    summary: 'Set the roles of a user who logs in here',
    description:
      'They are in the access tokens that his logins get from now on. When they are others than before, his access tokens are void at once and his ' +
      'sockets close with 4101; his logins go on, and a refresh brings the new roles. So are the tokens that he had signed for others; the API keys that he made go on (`apiKeyCount`; `DELETE …/api-keys`). The roles of a user without an account here are those of ' +
      'his own tokens (`conflict`). `conflict` too when the last administrator who can log in would be none; `forbidden` to an API key, and to a token that one minted, when he is one, or is to be one.',
  })
  @ApiOkResponse({ type: AdminUserDetailBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found', 'conflict', 'payload_too_large')
  async setRoles(
    @CurrentUser() by: Principal,
    @Param() { user }: UserParamsDto,
    @Body() { roles }: RolesDto,
  ): Promise<AdminUserDetailBody> {
    const { username } = await this.#find(user);
    if (username === null) throw new ChatError('conflict', 'The user does not log in here: his tokens say which roles he has.');
    await this.access.setRoles(user, roles, by);
    return this.#find(user);
  }

  @Get(':user/sessions')
  @Audited('session.list')
  @RequireScope('users:read')
  @ApiOperation({
    summary: "A user's logins",
    description: 'The newest first, ended and expired ones for as long as they are kept; none of a user who does not log in here.',
  })
  @ApiOkResponse({ type: AdminSessionPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  async sessions(@Param() { user }: UserParamsDto, @Query() { cursor, limit }: PageQueryDto): Promise<AdminSessionPageBody> {
    const pages = new PageCursor('id', 'admin-sessions', user);
    const [after = null] = pages.read(cursor) ?? [];
    const sessions = await this.logins.list(user, after, limit + 1);
    return pages.page(
      sessions,
      limit,
      ({ id }) => [id],
      (session) => session,
    );
  }

  @Delete(':user/sessions')
  @Audited('user.signOut')
  @RequireScope('users:write')
  @RemovesInSilence('how many logins would end; his other tokens, which nobody counts, would be void too.')
  @ApiOperation({
    summary: 'Sign a user out everywhere',
    description:
      'Ends all his logins, voids every token that was issued to him up to now, also by somebody else, and closes his sockets with 4101. Of tokens ' +
      'signed elsewhere, also those whose `iat` is up to five seconds later, since clocks differ. Who was never seen has nothing to end: ban him, ' +
      'if tokens of his may be about.',
  })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  async signOut(
    @CurrentUser() by: Principal,
    @Param() { user }: UserParamsDto,
    @Query() { dryRun }: DryRunQueryDto,
  ): Promise<DryRunBody | undefined> {
    if (dryRun) {
      await this.access.assertMayActOn(user, by);
      return wouldGo((await this.#find(user)).sessionCount);
    }
    if (!(await this.access.revokeUser(user, by))) throw userNotFound();
    return undefined;
  }

  @Delete(':user/sessions/:session')
  @Audited('session.end')
  @RequireScope('users:write')
  @RemovesInSilence('whether the login still lives, as 1 or 0.')
  @ApiOperation({
    summary: 'End one login of a user',
    description: 'Its tokens are void and its sockets close with 4101.',
  })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  async endSession(
    @CurrentUser() by: Principal,
    @Param() { user, session }: SessionParamsDto,
    @Query() { dryRun }: DryRunQueryDto,
  ): Promise<DryRunBody | undefined> {
    const isLive = await this.logins.isLive(user, session);
    if (isLive === null) throw new ChatError('not_found', 'The user has no such login.');
    if (dryRun) {
      await this.access.assertMayActOn(user, by);
      return wouldGo(isLive);
    }
    await this.access.endSession(user, session, by);
    return undefined;
  }

  @Delete(':user/api-keys')
  @Audited('key.revokeAll')
  @RequireScope('keys:write')
  @RemovesInSilence('how many keys would end, those that he made and those that they made.')
  @ApiOperation({
    summary: 'Revoke the API keys that a user made',
    description:
      'For when he is dismissed: disable him, or take his roles, and then do this. Those too that were made by a token that he had signed. Each ends as by ' +
      '`DELETE /v1/admin/api-keys/:key`. What is production’s is replaced first: `GET /v1/admin/api-keys?createdBy=` lists them.',
  })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  async revokeKeys(@Param() { user }: UserParamsDto, @Query() { dryRun }: DryRunQueryDto): Promise<DryRunBody | undefined> {
    if (dryRun) return wouldGo(await this.keys.liveCountOf(user));
    await this.keys.revokeOf(user);
    return undefined;
  }

  async #find(user: string): Promise<AdminUserDetail> {
    const found = await this.users.find(user);
    if (!found) throw userNotFound();
    return found;
  }
}

function userNotFound(): ChatError {
  return new ChatError('not_found', 'There is no such user.');
}
