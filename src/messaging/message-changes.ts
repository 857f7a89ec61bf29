import { ChatError } from '../errors/chat-error.js';
import { MessageEntity, messageView } from '../log/message.entity.js';
import type { LogTransaction } from '../log/room-log.js';
import type { Message } from '../protocol/index.js';
import { MessageRemovalEntity } from './message-removal.entity.js';

export interface MessageName {
  room: string;
  seq: number;
}

/** One text for every message that is not there; said only to who may read the room. */
export function messageNotFound(): ChatError {
  return new ChatError('not_found', 'There is no such message.');
}

/** Steps of an act on a message, under its room's lock. @throws {ChatError} not_found */
export async function messageUnderLock({ manager, room }: LogTransaction, seq: number): Promise<MessageEntity> {
  const message = await manager.findOneBy(MessageEntity, { roomId: room.id, seq });
  if (!message) throw messageNotFound();
  return message;
}

/**
 * Stores the message as it is to be, and makes the event that says so.
 * @returns the message with the event's seq as its `lastSeq`
 */
export async function changeMessage(
  tx: LogTransaction,
  event: 'message.updated' | 'message.deleted',
  before: MessageEntity,
  changed: Partial<MessageEntity>,
): Promise<Message> {
  const { roomId, seq } = before;
  let message = messageView({ ...before, ...changed });
  const data = (lastSeq: number): Message => (message = { ...message, lastSeq });
  const lastSeq = tx.record(event, { user: before.senderId, messageSeq: seq, data });
  await tx.manager.update(MessageEntity, { roomId, seq }, { ...changed, lastSeq } as object);
  return message;
}

/** What a deleted message says. */
export const EMPTY = { text: '', meta: {} };

/**
 * Deletes a message that another sent, and keeps what it said, for administrators to judge again.
 * @returns what is left of it, with the event's seq as its `lastSeq`
 */
export async function removeMessage(
  tx: LogTransaction,
  message: MessageEntity,
  { by, reason }: { by: string; reason: string },
): Promise<Message> {
  const { seq, text, meta } = message;
  const left = await changeMessage(tx, 'message.deleted', message, { ...EMPTY, deletedAt: tx.at });
  const removal = { roomId: tx.room.id, seq, removedSeq: left.lastSeq, text, meta, removedBy: by, removeReason: reason, removedAt: tx.at };
  await tx.manager.insert(MessageRemovalEntity, removal as object);
  return left;
}
