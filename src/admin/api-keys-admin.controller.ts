import { Body, Controller, Delete, Get, Header, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Audited } from '../audit/audited.js';
import { ApiKeys, keyView } from '../auth/api-keys.service.js';
import { CurrentUser } from '../auth/current-user.js';
import type { Principal } from '../auth/principal.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { ChatError } from '../errors/chat-error.js';
import { ApiIdempotencyKey, OptionalIdempotencyKey } from '../errors/idempotency-key.js';
import { PageCursor } from '../rooms/page-cursor.js';
import { type DryRunBody, DryRunQueryDto } from './admin.dto.js';
import { ApiKeyPageBody, ApiKeyParamsDto, ApiKeysQueryDto, NewApiKeyBody, NewApiKeyDto } from './api-keys-admin.dto.js';
import { RemovesInSilence, wouldGo } from './dry-run.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/api-keys')
export class ApiKeysAdminController {
  constructor(private readonly keys: ApiKeys) {}

  @Post()
  @RequireScope('keys:write')
  @Audited('key.create')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({
    summary: 'Make an API key for a backend',
    description:
      'The answer shows the key once. A key cannot make one with scopes that it lacks (`forbidden`), nor one that outlives it: `expiresAt` is its own ' +
      'at the latest, and it takes along the keys that it made when it is revoked. When the answer was lost, revoke the key and ' +
      'make another one: again with the same `Idempotency-Key` no second one is made, and the `conflict` names the first.',
  })
  @ApiIdempotencyKey('Of your choice, for trying again without making a second key.')
  @ApiCreatedResponse({ type: NewApiKeyBody })
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'conflict')
  async create(
    @CurrentUser() caller: Principal,
    @Body() draft: NewApiKeyDto,
    @OptionalIdempotencyKey() creationKey: string | null,
  ): Promise<NewApiKeyBody> {
    const { key, view } = await this.keys.create(caller, draft, creationKey);
    return { ...view, key };
  }

  @Get()
  @RequireScope('keys:read')
  @Audited('key.list')
  @ApiOperation({
    summary: 'The API keys',
    description: 'Newest first, with those that are revoked or have expired; never with their secrets.',
  })
  @ApiOkResponse({ type: ApiKeyPageBody })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden')
  async list(@Query() { createdBy, cursor, limit }: ApiKeysQueryDto): Promise<ApiKeyPageBody> {
    const pages = new PageCursor('id', 'api-keys', createdBy ?? '');
    const [after = null] = pages.read(cursor) ?? [];
    return pages.page(await this.keys.list(createdBy ?? null, after, limit + 1), limit, ({ id }) => [id], keyView);
  }

  @Delete(':key')
  @RequireScope('keys:write')
  @Audited('key.revoke')
  @RemovesInSilence('how many keys would end, this one and those that it made.')
  @ApiOperation({
    summary: 'Revoke an API key',
    description:
      'For ever, on every instance at once: its requests are refused and its sockets close with 4101, and so it is with the tokens that it minted, ' +
      'and with the keys that it made. ' +
      'No error when it was revoked before.',
  })
  @ApiErrors('validation_failed', 'unauthenticated', 'forbidden', 'not_found')
  async revoke(@Param() { key }: ApiKeyParamsDto, @Query() { dryRun }: DryRunQueryDto): Promise<DryRunBody | undefined> {
    const live = await this.keys.liveCount(key);
    if (live === null) throw new ChatError('not_found', 'There is no such API key.');
    if (dryRun) return wouldGo(live);
    await this.keys.revoke(key);
    return undefined;
  }
}
