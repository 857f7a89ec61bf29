import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { LogModule } from '../log/log.module.js';
import { RoomAccess } from './access.service.js';
import { MembershipEntity } from './membership.entity.js';
import { RoomBanEntity } from './room-ban.entity.js';

@Module({
  imports: [LogModule, TypeOrmModule.forFeature([MembershipEntity, RoomBanEntity])],
  providers: [RoomAccess],
  exports: [RoomAccess, TypeOrmModule],
})
export class RoomsModule {}
