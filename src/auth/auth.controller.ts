import { Body, Controller, Header, HttpCode, Post, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { Config } from '../config/config.js';
import { ApiErrors, ApiPublicErrors } from '../errors/api-errors.js';
import { clientAddress } from '../limits/client-address.js';
import { AccountsService } from './accounts.service.js';
import { LoginDto, RefreshTokenDto, RegisterDto, TicketBody, TokenPairBody } from './auth.dto.js';
import { CurrentUser } from './current-user.js';
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
  ) {}

  @Post('register')
  @Public()
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Make an account and log in' })
  @ApiCreatedResponse({ type: TokenPairBody })
  @ApiPublicErrors('validation_failed', 'payload_too_large', 'conflict', 'rate_limited')
  register(@Body() account: RegisterDto, @Req() request: Request): Promise<TokenPairBody> {
    return this.accounts.register(account, clientAddress(request, this.config.trustedProxies));
  }

  @Post('login')
  @Public()
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Log in', description: 'Attempts are limited by account and by address.' })
  @ApiOkResponse({ type: TokenPairBody })
  @ApiPublicErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'rate_limited')
  login(@Body() login: LoginDto, @Req() request: Request): Promise<TokenPairBody> {
    return this.accounts.login(login, clientAddress(request, this.config.trustedProxies));
  }

  @Post('refresh')
  @Public()
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @ApiOperation({
    summary: 'Trade a refresh token for a new pair',
    description: 'Each refresh token works once. A second use ends the login: its refresh tokens and its access tokens.',
  })
  @ApiOkResponse({ type: TokenPairBody })
  @ApiPublicErrors('validation_failed', 'payload_too_large', 'unauthenticated', 'forbidden', 'rate_limited')
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
