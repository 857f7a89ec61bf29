import { UseFilters } from '@nestjs/common';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { HistoryService } from '../messaging/history.service.js';
import { MessagingService } from '../messaging/messaging.service.js';
import { ReadMarks } from '../messaging/read-marks.service.js';
import { PresenceService } from '../presence/presence.service.js';
import { TypingService } from '../presence/typing.service.js';
import type { CommandData, CommandName } from '../protocol/index.js';
import { RoomsService } from '../rooms/rooms.service.js';
import type { Command } from './command.js';
import { Renewals } from './renewals.service.js';
import { SubscriptionsService } from './subscriptions.service.js';
import { WsErrorFilter } from './ws-error.filter.js';

type Call<N extends CommandName> = Command<CommandData<N>>;

/**
 * The commands of the protocol, one handler each, behind the JWT guard that is the whole application's. The data has passed its schema,
 * the session keeps the order, and what a handler returns is the ack.
 */
@WebSocketGateway({ path: '/ws' })
@UseFilters(WsErrorFilter)
export class ChatGateway {
  constructor(
    private readonly subscriptions: SubscriptionsService,
    private readonly rooms: RoomsService,
    private readonly messaging: MessagingService,
    private readonly history: HistoryService,
    private readonly readMarks: ReadMarks,
    private readonly presence: PresenceService,
    private readonly typing: TypingService,
    private readonly renewals: Renewals,
  ) {}

  @SubscribeMessage('room.subscribe')
  subscribe(@MessageBody() command: Call<'room.subscribe'>): Promise<void> {
    return this.subscriptions.subscribe(command, command.data);
  }

  @SubscribeMessage('rooms.subscribe')
  subscribeAll(@MessageBody() command: Call<'rooms.subscribe'>): Promise<void> {
    return this.subscriptions.subscribeAll(command, command.data.rooms);
  }

  @SubscribeMessage('room.unsubscribe')
  unsubscribe(@MessageBody() { session, data }: Call<'room.unsubscribe'>): void {
    this.subscriptions.unsubscribe(session, data.room);
  }

  @SubscribeMessage('room.join')
  join(@MessageBody() { session, data }: Call<'room.join'>) {
    return this.rooms.join(session.userId, data.room);
  }

  @SubscribeMessage('room.leave')
  leave(@MessageBody() { session, data }: Call<'room.leave'>): Promise<void> {
    return this.rooms.leave(session.userId, data.room);
  }

  // Nothing may be awaited on the way to the log: a connection's sends are numbered in the order in which they start.
  @SubscribeMessage('message.send')
  send(@MessageBody() { session, data }: Call<'message.send'>) {
    return this.messaging.send(session.principal, data);
  }

  @SubscribeMessage('message.edit')
  edit(@MessageBody() { session, data }: Call<'message.edit'>) {
    return this.messaging.edit(session.principal, data);
  }

  @SubscribeMessage('message.delete')
  delete(@MessageBody() { session, data }: Call<'message.delete'>) {
    return this.messaging.delete(session.principal, data);
  }

  @SubscribeMessage('read.set')
  setRead(@MessageBody() { session, data }: Call<'read.set'>) {
    return this.readMarks.set(session.userId, data.room, data.seq);
  }

  @SubscribeMessage('history.get')
  async page(@MessageBody() command: Call<'history.get'>): Promise<void> {
    command.ackJson([await this.history.page(command.session.userId, command.data)]);
  }

  @SubscribeMessage('typing.start')
  startTyping(@MessageBody() { session, data }: Call<'typing.start'>): Promise<void> {
    return this.typing.start(session.userId, data.room, session.id);
  }

  @SubscribeMessage('typing.stop')
  stopTyping(@MessageBody() { session, data }: Call<'typing.stop'>): Promise<void> {
    return this.typing.stop(session.userId, data.room, session.id);
  }

  @SubscribeMessage('presence.set')
  setPresence(@MessageBody() { session, data }: Call<'presence.set'>): Promise<void> {
    return this.presence.choose(session.userId, data.status);
  }

  @SubscribeMessage('presence.watch')
  watch(@MessageBody() { session, data }: Call<'presence.watch'>) {
    return this.presence.watch(session, data.room);
  }

  @SubscribeMessage('presence.unwatch')
  unwatch(@MessageBody() { session, data }: Call<'presence.unwatch'>): void {
    this.presence.unwatch(session, data.room);
  }

  @SubscribeMessage('auth.refresh')
  refresh(@MessageBody() { session, data }: Call<'auth.refresh'>) {
    return this.renewals.renew(session, data.token);
  }

  @SubscribeMessage('ping')
  ping(): { serverTime: string } {
    return { serverTime: new Date().toISOString() };
  }
}
