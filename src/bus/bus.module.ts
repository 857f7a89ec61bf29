import { Global, Module } from '@nestjs/common';
import { LocalBus } from './local-bus.js';
import { RoomBus } from './room-bus.js';

@Global()
@Module({
  providers: [{ provide: RoomBus, useClass: LocalBus }],
  exports: [RoomBus],
})
export class BusModule {}
