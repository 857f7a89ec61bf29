import { Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { AuditLog } from './audit-log.js';
import { AuditQuery } from './audit-query.js';
import { AuditGuard } from './audit.guard.js';
import { AuditedErrorFilter } from './audited-error.filter.js';

/** Comes before every module with guards of its own: the guard of this one runs first. */
@Global()
@Module({
  providers: [AuditLog, AuditQuery, AuditedErrorFilter, { provide: APP_GUARD, useClass: AuditGuard }],
  exports: [AuditLog, AuditQuery, AuditedErrorFilter],
})
export class AuditModule {}
