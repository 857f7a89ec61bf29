import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { AdminController } from './admin.controller.js';
import { AuditAdminController } from './audit-admin.controller.js';

@Module({ imports: [AuditModule, AuthModule], controllers: [AdminController, AuditAdminController] })
export class AdminModule {}
