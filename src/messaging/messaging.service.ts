import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Repository } from 'typeorm';
import { Mutes } from '../auth/mutes.js';
import type { Principal } from '../auth/principal.js';
import { Sql } from '../database/sql.js';
import { rateLimited, RateLimits } from '../limits/rate-limits.js';
import { firstVersion, MessageEntity, messageView } from '../log/message.entity.js';
import { type AppendedMessage, RoomLog } from '../log/room-log.js';
import type { Message, Meta } from '../protocol/index.js';
import { RoomAccess } from '../rooms/access.service.js';
import type { MessageName } from './message-changes.js';
import { type MessageEdit, MessageEdits } from './message-edits.service.js';

export interface NewMessage {
  room: string;
  /** The sender's own name for the message: the same one again is the same message. */
  clientId: string;
  text: string;
  meta?: Meta | undefined;
}

export interface PostedMessage {
  message: Message;
  /** It was there already. */
  duplicate: boolean;
}

/** Sending, and what the socket's commands about messages are acked with. */
@Injectable()
export class MessagingService {
  constructor(
    private readonly access: RoomAccess,
    private readonly limits: RateLimits,
    private readonly sql: Sql,
    private readonly log: RoomLog,
    private readonly edits: MessageEdits,
    private readonly mutes: Mutes,
    @InjectRepository(MessageEntity) private readonly messages: Repository<MessageEntity>,
  ) {}

  /**
   * Appends the message. A resolved promise means committed. Messages of one room are numbered in the order of the calls: nothing is
   * awaited on the way to the log.
   * @throws {ChatError} not_found, forbidden, conflict in an archived room, rate_limited, unavailable, timeout
   */
  send({ userId: sender }: Principal, { room, clientId, text, meta = {} }: NewMessage): Promise<AppendedMessage> {
    const retryAfterMs = this.limits.takeSend(room);
    if (retryAfterMs > 0) return this.#refuse(sender, room, retryAfterMs);
    const sent = this.log.send({ room, sender, clientId, text, meta, barred: this.mutes.refusal(sender) });
    if (this.limits.isOn) sent.catch(() => this.limits.giveBackSend(room));
    return sent;
  }

  /** Sends and shows the message: one that was there already as it stands, to its sender wherever he is now. Errors as for `send`. */
  async post(sender: Principal, draft: NewMessage): Promise<PostedMessage> {
    const { seq, duplicate, createdAt } = await this.send(sender, draft);
    const { room: roomId, clientId, text, meta = {} } = draft;
    if (duplicate) {
      const there = await this.sql.translated(() => this.messages.findOneByOrFail({ roomId, seq }));
      return { message: messageView(there), duplicate };
    }
    return { message: firstVersion({ sender: sender.userId, clientId, text, meta }, seq, createdAt), duplicate };
  }

  /** @returns the seq of the event made, or of the message's last one when nothing changed. Errors as for `MessageEdits.edit`. */
  async edit(editor: Principal, edit: MessageEdit): Promise<{ seq: number; version: number }> {
    const { lastSeq, version } = await this.edits.edit(editor, edit);
    return { seq: lastSeq, version };
  }

  /** @returns the seq of the event made, or of the message's last one when nothing changed. Errors as for `MessageEdits.delete`. */
  async delete(deleter: Principal, name: MessageName): Promise<{ seq: number }> {
    const { lastSeq } = await this.edits.delete(deleter, name);
    return { seq: lastSeq };
  }

  // A stranger must not learn by it that the room is there, and busy. What is said may be a retry of what is stored: it is not judged here.
  async #refuse(sender: string, room: string, retryAfterMs: number): Promise<never> {
    await this.access.require(sender, room, 'room.read');
    throw rateLimited(retryAfterMs, this.limits.sends.policy);
  }
}
