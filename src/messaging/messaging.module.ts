import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from '../auth/auth.module.js';
import { LogModule } from '../log/log.module.js';
import { RoomsModule } from '../rooms/rooms.module.js';
import { HistoryService } from './history.service.js';
import { MessageRemovalEntity } from './message-removal.entity.js';
import { MessageEdits } from './message-edits.service.js';
import { MessagesController } from './messages.controller.js';
import { MessagingService } from './messaging.service.js';
import { ReadMarks } from './read-marks.service.js';
import { ReadReceipts } from './read-receipts.service.js';

@Module({
  imports: [AuthModule, LogModule, RoomsModule, TypeOrmModule.forFeature([MessageRemovalEntity])],
  controllers: [MessagesController],
  providers: [MessagingService, MessageEdits, HistoryService, ReadMarks, ReadReceipts],
  exports: [MessagingService, HistoryService, ReadMarks, TypeOrmModule],
})
export class MessagingModule {}
