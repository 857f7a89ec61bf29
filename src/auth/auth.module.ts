import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditModule } from '../audit/audit.module.js';
import { ChangesModule } from '../changes/changes.module.js';
import { LimitsModule } from '../limits/limits.module.js';
import { AccessControl } from './access-control.service.js';
import { AccountEntity } from './account.entity.js';
import { AccountsService } from './accounts.service.js';
import { ApiKeys } from './api-keys.service.js';
import { AuthController } from './auth.controller.js';
import { Authenticator } from './authenticator.js';
import { GuestsService } from './guests.service.js';
import { JwtGuard } from './jwt.guard.js';
import { LimitedErrorFilter } from './limited-error.filter.js';
import { LoginLimits } from './login-limits.js';
import { MintedTokens } from './minted-tokens.service.js';
import { Mutes } from './mutes.js';
import { PasswordHasher } from './password-hasher.js';
import { RateLimitGuard } from './rate-limit.guard.js';
import { RequestLimits } from './request-limits.js';
import { Revocations } from './revocations.js';
import { ScopeGuard } from './scope.guard.js';
import { SessionsController } from './sessions.controller.js';
import { SessionsService } from './sessions.service.js';
import { TicketsService } from './tickets.service.js';
import { TokenService } from './tokens.service.js';
import { UserDirectory } from './user-directory.js';
import { UserEntity } from './user.entity.js';
import { UsersController } from './users.controller.js';

@Module({
  // Secrets and options are given with each call, from the configuration.
  imports: [AuditModule, ChangesModule, LimitsModule, JwtModule.register({}), TypeOrmModule.forFeature([UserEntity, AccountEntity])],
  controllers: [AuthController, SessionsController, UsersController],
  providers: [
    AccessControl,
    ApiKeys,
    MintedTokens,
    TokenService,
    TicketsService,
    Authenticator,
    Revocations,
    Mutes,
    UserDirectory,
    AccountsService,
    GuestsService,
    SessionsService,
    PasswordHasher,
    LoginLimits,
    RequestLimits,
    LimitedErrorFilter,
    JwtGuard,
    // In this order: the others go by the user whom the JWT guard has found.
    { provide: APP_GUARD, useExisting: JwtGuard },
    { provide: APP_GUARD, useClass: RateLimitGuard },
    { provide: APP_GUARD, useClass: ScopeGuard },
  ],
  exports: [
    AccessControl,
    ApiKeys,
    MintedTokens,
    TokenService,
    Authenticator,
    Revocations,
    Mutes,
    SessionsService,
    UserDirectory,
    RequestLimits,
    LimitedErrorFilter,
    JwtGuard,
  ],
})
export class AuthModule {}
