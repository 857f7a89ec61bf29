import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { IsNull, type Repository } from 'typeorm';
import { Sql } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { MessageEntity, messageView } from '../log/message.entity.js';
import { type LogTransaction, RoomLog } from '../log/room-log.js';
import type { Message } from '../protocol/index.js';
import { changeMessage, EMPTY, messageNotFound, type MessageName, messageUnderLock, removeMessage } from '../messaging/message-changes.js';
import { MessageRemovalEntity, removalView, type RemovalView } from '../messaging/message-removal.entity.js';
import { COUNT_OF_SENDER, MESSAGES_OF_SENDER, type SenderCountRow, type SenderMessageRow } from './message-statements.js';

export interface ModeratedMessage {
  room: string;
  /** As everybody sees it. */
  message: Message;
  /** What was taken out of it, and by whom; the last removal first. */
  removals: RemovalView[];
}

export interface RemovalOrder {
  by: string;
  reason: string;
  /** Answers what would come of it, and changes nothing. */
  dryRun?: boolean | undefined;
}

export interface SenderMessages {
  sender: string;
  room?: string | undefined;
  from?: Date | undefined;
  to?: Date | undefined;
}

export interface BulkRemoval {
  /** Removed by this call; with `dryRun`, all that there are to remove. */
  messages: number;
  rooms: number;
  /** False: one call does not do it; there are more, call again. */
  complete: boolean;
}

/** What one call removes at most, and what one room's lock is held for at a time. */
const BULK_MESSAGES = 1_000;
const LOCKED_MESSAGES = 100;

/**
 * What administrators take out of rooms, and bring back; the latter also what a room's moderators deleted. Both are durable events like any other change of a message, and what was taken out
 * is kept for those who judge it again. Repeats change nothing. Errors of all: {ChatError} not_found, unavailable, timeout.
 */
@Injectable()
export class MessageRemovals {
  constructor(
    private readonly sql: Sql,
    private readonly log: RoomLog,
    @InjectRepository(MessageEntity) private readonly messages: Repository<MessageEntity>,
    @InjectRepository(MessageRemovalEntity) private readonly removals: Repository<MessageRemovalEntity>,
  ) {}

  async find({ room: roomId, seq }: MessageName): Promise<ModeratedMessage> {
    const [message, removals] = await this.sql.translated(() =>
      Promise.all([
        this.messages.findOneBy({ roomId, seq }),
        this.removals.find({ where: { roomId, seq }, order: { removedSeq: 'DESC' } }),
      ]),
    );
    if (!message) throw messageNotFound();
    return { room: roomId, message: messageView(message), removals: removals.map(removalView) };
  }

  /** One that is deleted already stays as it is. */
  async remove(name: MessageName, order: RemovalOrder): Promise<ModeratedMessage> {
    const preview = await this.log.transact(name.room, async (tx) => {
      const before = await messageUnderLock(tx, name.seq);
      if (order.dryRun)
        return before.deletedAt ? messageView(before) : { ...messageView(before), ...EMPTY, deletedAt: tx.at.toISOString() };
      await removeUnderLock(tx, name.seq, order);
      return null;
    });
    return this.#shown(name, preview);
  }

  /**
   * Brings back what the last removal took out. A message that is not deleted stays as it is.
   * @throws {ChatError} conflict when its sender deleted it: nothing of it is kept; and when its text is no longer kept
   */
  async restore(name: MessageName, { by, reason, dryRun }: RemovalOrder): Promise<ModeratedMessage> {
    const preview = await this.log.transact(name.room, async (tx) => {
      const message = await messageUnderLock(tx, name.seq);
      if (!message.deletedAt) return null;
      const key = { roomId: tx.room.id, seq: name.seq, restoredAt: IsNull() };
      const removal = await tx.manager.findOne(MessageRemovalEntity, { where: key, order: { removedSeq: 'DESC' } });
      if (!removal || removal.text === null) {
        const words = removal
          ? 'What the message said is no longer kept: the removal is older than REMOVED_TEXT_DAYS.'
          : 'The message was deleted without a removal: nothing of it is kept.';
        throw new ChatError('conflict', words, { current: messageView(message) });
      }
      const { text, meta, removedSeq } = removal;
      const back = { text, meta, deletedAt: null, version: message.version + 1 };
      if (dryRun) return messageView({ ...message, ...back });
      await changeMessage(tx, 'message.updated', message, back);
      const { roomId, seq } = removal;
      await tx.manager.update(
        MessageRemovalEntity,
        { roomId, seq, removedSeq },
        { restoredBy: by, restoreReason: reason, restoredAt: tx.at },
      );
      return null;
    });
    return this.#shown(name, preview);
  }

  /** Removes what a user sent, in one room or in all, oldest room first; a thousand messages a call, each room's in its own transactions. */
  async removeAllOf(which: SenderMessages, order: RemovalOrder): Promise<BulkRemoval> {
    const values = [which.sender, which.room ?? null, which.from ?? null, which.to ?? null];
    if (order.dryRun) {
      const [row] = await this.sql.query<SenderCountRow>(COUNT_OF_SENDER, values);
      return { messages: row!.messages, rooms: row!.rooms, complete: row!.messages <= BULK_MESSAGES };
    }
    const rows = await this.sql.query<SenderMessageRow>(MESSAGES_OF_SENDER, [...values, BULK_MESSAGES + 1]);
    const byRoom = new Map<string, number[]>();
    for (const { room_id, seq } of rows.slice(0, BULK_MESSAGES)) byRoom.set(room_id, [...(byRoom.get(room_id) ?? []), Number(seq)]);
    let messages = 0;
    for (const [room, seqs] of byRoom) {
      for (let start = 0; start < seqs.length; start += LOCKED_MESSAGES) {
        messages += await this.#removeSome(room, seqs.slice(start, start + LOCKED_MESSAGES), order);
      }
    }
    return { messages, rooms: byRoom.size, complete: rows.length <= BULK_MESSAGES };
  }

  #removeSome(room: string, seqs: number[], order: RemovalOrder): Promise<number> {
    return this.log.transact(room, async (tx) => {
      let removed = 0;
      for (const seq of seqs) if (await removeUnderLock(tx, seq, order)) removed++;
      return removed;
    });
  }

  async #shown(name: MessageName, preview: Message | null): Promise<ModeratedMessage> {
    const found = await this.find(name);
    return preview ? { ...found, message: preview } : found;
  }
}

/** @returns false when the message was deleted already: then nothing was done */
export async function removeUnderLock(tx: LogTransaction, seq: number, { by, reason }: RemovalOrder): Promise<boolean> {
  const message = await messageUnderLock(tx, seq);
  if (message.deletedAt) return false;
  await removeMessage(tx, message, { by, reason });
  return true;
}
