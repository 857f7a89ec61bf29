import { Body, Controller, Header, HttpCode, Post, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { Config } from '../config/config.js';
import { ApiErrors, ApiPublicErrors } from '../errors/api-errors.js';
import { clientAddress } from '../limits/client-address.js';
import { AccessControl } from './access-control.service.js';
import { AccountsService } from './accounts.service.js';
import { AccessTokenDto, GuestDto, GuestPassBody, LoginDto, RefreshTokenDto, RegisterDto, TicketBody, TokenPairBody } from './auth.dto.js';
import { CurrentUser } from './current-user.js';
import { GuestsService } from './guests.service.js';
import { NotesRefusals } from './noted-refusals.js';
import { OnlyWith } from './only-with.js';
import type { Principal } from './principal.js';
import { Public } from './public.js';
import { SessionsService } from './sessions.service.js';
import { TicketsService } from './tickets.service.js';

@ApiTags('auth')
@Controller('v1/auth')
export class AuthController {
  constructor(
    private readonly config: Config,
    private readonly accounts: AccountsService,
    private readonly sessions: SessionsService,
    private readonly tickets: TicketsService,
    private readonly guests: GuestsService,
    private readonly access: AccessControl,
  ) {}

  @Post('register')
  @Public()
  @OnlyWith('localAccounts')
  @NotesRefusals('account.register')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Make an account and log in', description: 'Not there with `LOCAL_ACCOUNTS=false`.' })
  @ApiCreatedResponse({ type: TokenPairBody })
  @ApiPublicErrors('validation_failed', 'payload_too_large', 'not_found', 'conflict', 'rate_limited')
  register(@Body() account: RegisterDto, @Req() request: Request): Promise<TokenPairBody> {
    return this.accounts.register(account, clientAddress(request, this.config.trustedProxies));
  }

  @Post('login')
  @Public()
  @OnlyWith('localAccounts')
  @NotesRefusals('login.password')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({
    summary: 'Log in',
    description: 'Attempts are limited by account and by address. Not there with `LOCAL_ACCOUNTS=false`.',
  })
  @ApiOkResponse({ type: TokenPairBody })
  @ApiPublicErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'not_found', 'rate_limited')
  login(@Body() login: LoginDto, @Req() request: Request): Promise<TokenPairBody> {
    return this.accounts.login(login, clientAddress(request, this.config.trustedProxies));
  }

  @Post('refresh')
  @Public()
  @OnlyWith('localAccounts')
  @NotesRefusals('login.refresh')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({
    summary: 'Trade a refresh token for a new pair',
    description:
      'Each refresh token works once. A second use ends the login: its refresh tokens and its access tokens. Not there with `LOCAL_ACCOUNTS=false`.',
  })
  @ApiOkResponse({ type: TokenPairBody })
  @ApiPublicErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'not_found', 'rate_limited')
  refresh(@Body() { refreshToken }: RefreshTokenDto): Promise<TokenPairBody> {
    return this.sessions.refresh(refreshToken);
  }

  @Post('logout')
  @Public()
  @HttpCode(204)
  @ApiOperation({
    summary: 'End a login',
    description: 'Its refresh tokens, its access tokens and its sockets end. An unknown token is no error.',
  })
  @ApiNoContentResponse()
  @ApiPublicErrors('validation_failed', 'payload_too_large', 'rate_limited')
  logout(@Body() { refreshToken }: RefreshTokenDto): Promise<void> {
    return this.sessions.revoke(refreshToken);
  }

  @Post('revoke')
  @Public()
  @HttpCode(204)
  @ApiOperation({
    summary: 'End an access token',
    description:
      'For who has it: its requests are refused and its sockets close, on every instance. One that does not count anyway is no error; one ' +
      'without a `jti` cannot be ended by itself (`conflict`).',
  })
  @ApiNoContentResponse()
  @ApiPublicErrors('validation_failed', 'payload_too_large', 'conflict', 'rate_limited')
  revoke(@Body() { token }: AccessTokenDto): Promise<void> {
    return this.access.revokeShown(token);
  }

  @Post('guest')
  @Public()
  @OnlyWith('guests')
  @NotesRefusals('guest.enter')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({
    summary: 'Become a guest',
    description:
      'A new user for `expiresIn` seconds, without an account: he may do what others may, but neither make rooms nor be an owner or moderator of one. ' +
      'Limited by address. Not there unless `GUESTS` is on.',
  })
  @ApiBody({ type: GuestDto, required: false })
  @ApiCreatedResponse({ type: GuestPassBody })
  @ApiPublicErrors('validation_failed', 'payload_too_large', 'not_found', 'rate_limited')
  enter(@Body() { name }: GuestDto, @Req() request: Request): Promise<GuestPassBody> {
    return this.guests.enter(name ?? null, clientAddress(request, this.config.trustedProxies));
  }

  @Post('tickets')
  @Header('Cache-Control', 'no-store')
  @ApiBearerAuth()
  @ApiOperation({
    summary: 'Get a ticket for a socket',
    description: 'For one connection within 30 s; it carries the claims and the expiry of the token.',
  })
  @ApiCreatedResponse({ type: TicketBody })
  @ApiErrors('unauthenticated')
  issueTicket(@CurrentUser() user: Principal): Promise<TicketBody> {
    return this.tickets.issue(user);
  }
}
