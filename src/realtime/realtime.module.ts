import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { ChangesModule } from '../changes/changes.module.js';
import { LogModule } from '../log/log.module.js';
import { MessagingModule } from '../messaging/messaging.module.js';
import { PresenceModule } from '../presence/presence.module.js';
import { RoomsModule } from '../rooms/rooms.module.js';
import { AccessRefusals } from './access-refusals.js';
import { ChatGateway } from './chat.gateway.js';
import { CommandOutages } from './command-outages.js';
import { ConnectionAnswers } from './connection-answers.js';
import { Drain } from './drain.js';
import { Heartbeat } from './heartbeat.js';
import { Hub } from './hub.js';
import { InstanceReport } from './instance-report.js';
import { Renewals } from './renewals.service.js';
import { RoomNotices } from './room-notices.js';
import { RoomStreams } from './room-streams.js';
import { Sessions } from './sessions.service.js';
import { SubscriptionsService } from './subscriptions.service.js';
import { TurnEnd } from './turn-end.js';
import { Upgrade } from './upgrade.js';

@Module({
  imports: [AuthModule, ChangesModule, LogModule, MessagingModule, PresenceModule, RoomsModule],
  providers: [
    AccessRefusals,
    ChatGateway,
    CommandOutages,
    ConnectionAnswers,
    Drain,
    Heartbeat,
    Hub,
    InstanceReport,
    Renewals,
    RoomNotices,
    RoomStreams,
    Sessions,
    SubscriptionsService,
    TurnEnd,
    Upgrade,
  ],
})
export class RealtimeModule {}
