import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from '../auth/auth.module.js';
import { ChangesModule } from '../changes/changes.module.js';
import { LogModule } from '../log/log.module.js';
import { RoomAccess } from './access.service.js';
import { DepartedGuests } from './departed-guests.js';
import { MembersController } from './members.controller.js';
import { MembersService } from './members.service.js';
import { MembershipEntity } from './membership.entity.js';
import { RoomBanEntity, RoomMuteEntity } from './room-sanction.entity.js';
import { RoomsController } from './rooms.controller.js';
import { RoomsRepository } from './rooms.repository.js';
import { RoomsService } from './rooms.service.js';

@Module({
  imports: [AuthModule, ChangesModule, LogModule, TypeOrmModule.forFeature([MembershipEntity, RoomBanEntity, RoomMuteEntity])],
  controllers: [RoomsController, MembersController],
  providers: [DepartedGuests, RoomAccess, RoomsService, MembersService, RoomsRepository],
  exports: [RoomAccess, RoomsService, MembersService, RoomsRepository, TypeOrmModule],
})
export class RoomsModule {}
