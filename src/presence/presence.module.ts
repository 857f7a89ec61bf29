import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ChangesModule } from '../changes/changes.module.js';
import { Config } from '../config/config.js';
import { Lifecycle } from '../config/lifecycle.js';
import { RedisConnections } from '../redis/redis-connections.js';
import { RedisModule } from '../redis/redis.module.js';
import { RoomsModule } from '../rooms/rooms.module.js';
import { LastSeen } from './last-seen.service.js';
import { MemoryPresenceStore } from './memory-presence-store.js';
import { PresenceStore } from './presence-store.js';
import { PresenceService } from './presence.service.js';
import { RedisPresenceStore } from './redis-presence-store.js';
import { RoomMembers } from './room-members.repository.js';
import { TypingService } from './typing.service.js';
import { WatchedUsers } from './watched-users.js';
import { Watches } from './watches.js';

/** Serves connections to the last: what it runs is ended in the shutdown's last step, after the sockets were closed. */
@Module({
  imports: [AuthModule, ChangesModule, RedisModule, RoomsModule],
  providers: [
    {
      provide: PresenceStore,
      useFactory: (config: Config, lifecycle: Lifecycle, connections: RedisConnections) =>
        config.redisUrl.length > 0 ? new RedisPresenceStore(connections, config, lifecycle) : new MemoryPresenceStore(),
      inject: [Config, Lifecycle, RedisConnections],
    },
    LastSeen,
    WatchedUsers,
    RoomMembers,
    Watches,
    PresenceService,
    TypingService,
  ],
  exports: [PresenceService, PresenceStore, TypingService],
})
export class PresenceModule {}
