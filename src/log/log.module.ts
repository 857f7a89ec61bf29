import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ChangesModule } from '../changes/changes.module.js';
import { MessageEntity } from './message.entity.js';
import { PgRoomLog } from './pg-room-log.js';
import { RoomEntity } from './room.entity.js';
import { RoomEventEntity } from './room-event.entity.js';
import { RoomLog } from './room-log.js';
import { RoomReplay } from './room-replay.js';

@Module({
  imports: [ChangesModule, TypeOrmModule.forFeature([RoomEntity, MessageEntity, RoomEventEntity])],
  providers: [{ provide: RoomLog, useClass: PgRoomLog }, RoomReplay],
  exports: [RoomLog, RoomReplay, TypeOrmModule],
})
export class LogModule {}
