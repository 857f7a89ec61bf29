import { Body, Controller, Header, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Audited } from '../audit/audited.js';
import { CurrentUser } from '../auth/current-user.js';
import { MintedTokens } from '../auth/minted-tokens.service.js';
import type { Principal } from '../auth/principal.js';
import { RequireScope } from '../auth/scopes.js';
import { ApiErrors } from '../errors/api-errors.js';
import { NewTokenBody, NewTokenDto } from './tokens-admin.dto.js';

@ApiTags('admin')
@ApiBearerAuth()
@Controller('v1/admin/tokens')
export class TokensAdminController {
  constructor(private readonly minted: MintedTokens) {}

  @Post()
  @RequireScope('tokens:write')
  @Audited('token.mint')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({
    summary: 'Sign an access token for a user',
    description:
      'For a backend that knows its users: hand the token to the client. It cannot be refreshed; sign another one. By an API key, it ' +
      'lives no longer than the key, and is void when that is revoked; for an administrator, or with the role `admin`, only by a key with all scopes.',
  })
  @ApiCreatedResponse({ type: NewTokenBody })
  @ApiErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden')
  mint(@CurrentUser() caller: Principal, @Body() draft: NewTokenDto): Promise<NewTokenBody> {
    return this.minted.mint(caller, draft);
  }
}
