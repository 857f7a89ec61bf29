import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { LogModule } from '../log/log.module.js';
import { MessagingModule } from '../messaging/messaging.module.js';
import { RoomsModule } from '../rooms/rooms.module.js';
import { MessageRemovals } from './message-removals.service.js';
import { MessageSearch } from './message-search.service.js';
import { MessagesAdminController } from './messages-admin.controller.js';
import { RemovedTexts } from './removed-texts.js';
import { ReportsController } from './reports.controller.js';
import { ReportsRepository } from './reports.repository.js';
import { Reports } from './reports.service.js';

@Module({
  imports: [AuthModule, LogModule, RoomsModule, MessagingModule],
  controllers: [MessagesAdminController, ReportsController],
  providers: [MessageRemovals, MessageSearch, RemovedTexts, Reports, ReportsRepository],
})
export class ModerationModule {}
