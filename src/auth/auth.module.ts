import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Authenticator } from './authenticator.js';
import { JwtGuard } from './jwt.guard.js';
import { Revocations } from './revocations.js';
import { TicketEntity } from './ticket.entity.js';
import { TicketsService } from './tickets.service.js';
import { TokenService } from './tokens.service.js';
import { UserDirectory } from './user-directory.js';
import { UserEntity } from './user.entity.js';

@Module({
  // Secrets and options are given with each call, from the configuration.
  imports: [JwtModule.register({}), TypeOrmModule.forFeature([UserEntity, TicketEntity])],
  providers: [
    TokenService,
    TicketsService,
    Authenticator,
    Revocations,
    UserDirectory,
    JwtGuard,
    { provide: APP_GUARD, useExisting: JwtGuard },
  ],
  exports: [TokenService, Authenticator, Revocations, UserDirectory, JwtGuard],
})
export class AuthModule {}
