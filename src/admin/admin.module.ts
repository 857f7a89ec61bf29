import { Module } from '@nestjs/common';
import { AdminController } from './admin.controller.js';
import { UserBansService } from './user-bans.service.js';

@Module({ controllers: [AdminController], providers: [UserBansService] })
export class AdminModule {}
