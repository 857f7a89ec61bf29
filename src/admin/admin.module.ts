import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { ChangesModule } from '../changes/changes.module.js';
import { PresenceModule } from '../presence/presence.module.js';
import { RoomsModule } from '../rooms/rooms.module.js';
import { AccessAdminController } from './access-admin.controller.js';
import { AccessAdminService } from './access-admin.service.js';
import { ApiKeysAdminController } from './api-keys-admin.controller.js';
import { AuditAdminController } from './audit-admin.controller.js';
import { ConnectionsAdminController } from './connections-admin.controller.js';
import { ConnectionsAdminService } from './connections-admin.service.js';
import { NoticesAdminController } from './notices-admin.controller.js';
import { Notices } from './notices.service.js';
import { RoomSanctionsAdminController } from './room-sanctions-admin.controller.js';
import { RoomsAdminController } from './rooms-admin.controller.js';
import { RoomsAdminRepository } from './rooms-admin.repository.js';
import { SanctionsAdminController } from './sanctions-admin.controller.js';
import { SanctionsRepository } from './sanctions.repository.js';
import { SettingsAdminController } from './settings-admin.controller.js';
import { StatisticsAdminController } from './statistics-admin.controller.js';
import { StatisticsAdminService } from './statistics-admin.service.js';
import { StatisticsCounter } from './statistics-counter.js';
import { TokensAdminController } from './tokens-admin.controller.js';
import { UsersAdminController } from './users-admin.controller.js';
import { UsersAdminRepository } from './users-admin.repository.js';

@Module({
  imports: [AuditModule, AuthModule, ChangesModule, PresenceModule, RoomsModule],
  controllers: [
    AccessAdminController,
    ApiKeysAdminController,
    AuditAdminController,
    ConnectionsAdminController,
    NoticesAdminController,
    RoomSanctionsAdminController,
    RoomsAdminController,
    SanctionsAdminController,
    SettingsAdminController,
    StatisticsAdminController,
    TokensAdminController,
    UsersAdminController,
  ],
  providers: [
    AccessAdminService,
    ConnectionsAdminService,
    Notices,
    RoomsAdminRepository,
    SanctionsRepository,
    StatisticsAdminService,
    StatisticsCounter,
    UsersAdminRepository,
  ],
})
export class AdminModule {}
