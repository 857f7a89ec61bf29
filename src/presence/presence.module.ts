import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { RoomsModule } from '../rooms/rooms.module.js';
import { LastSeen } from './last-seen.service.js';
import { MemoryPresenceStore } from './memory-presence-store.js';
import { PresenceStore } from './presence-store.js';
import { PresenceService } from './presence.service.js';
import { RoomMembers } from './room-members.repository.js';
import { TypingService } from './typing.service.js';
import { WatchedUsers } from './watched-users.js';
import { Watches } from './watches.js';

/** Serves connections to the last: what it runs is ended in the shutdown's last step, after the sockets were closed. */
@Module({
  imports: [AuthModule, RoomsModule],
  providers: [
    { provide: PresenceStore, useClass: MemoryPresenceStore },
    LastSeen,
    WatchedUsers,
    RoomMembers,
    Watches,
    PresenceService,
    TypingService,
  ],
  exports: [PresenceService, TypingService],
})
export class PresenceModule {}
