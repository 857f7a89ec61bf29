import { ChatError } from '../errors/chat-error.js';
import { MessageEntity, messageView } from '../log/message.entity.js';
import type { LogTransaction } from '../log/room-log.js';
import type { Message } from '../protocol/index.js';

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
