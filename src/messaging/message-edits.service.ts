import { Injectable } from '@nestjs/common';
import { isDeepStrictEqual } from 'node:util';
import { Mutes } from '../auth/mutes.js';
import type { Principal } from '../auth/principal.js';
import { ChatError, validationFailed } from '../errors/chat-error.js';
import { messageView } from '../log/message.entity.js';
import { RoomLog } from '../log/room-log.js';
import { editProblem, type Message, type Meta } from '../protocol/index.js';
import { factsUnderLock } from '../rooms/membership-changes.js';
import { type AccessFacts, explain, isOfState, refusal, type RoomAction } from '../rooms/room-access.js';
import { changeMessage, EMPTY, type MessageName, messageUnderLock, removeMessage } from './message-changes.js';

export interface MessageEdit extends MessageName {
  text?: string | undefined;
  meta?: Meta | undefined;
  /** The version that the edit is made from. */
  ifVersion?: number | undefined;
}

/**
 * Changes of messages, each under its room's lock: so who may is judged at the change's own place in the log, and no edit comes after the
 * kick of its maker. A change that would change nothing makes no event, which makes a retry safe.
 */
@Injectable()
export class MessageEdits {
  constructor(
    private readonly log: RoomLog,
    private readonly mutes: Mutes,
  ) {}

  /**
   * @returns the message as it stands then; its `lastSeq` is the seq of the event made, if one was
   * @throws {ChatError} validation_failed, not_found, forbidden; conflict when the message is deleted or has another version than
   * `ifVersion`, with the message as it stands
   */
  async edit({ userId }: Principal, { room, seq, text, meta, ifVersion }: MessageEdit): Promise<Message> {
    const problem = editProblem({ text, meta });
    if (problem) throw validationFailed([{ path: '', message: problem }]);
    return this.log.transact(room, async (tx) => {
      const facts = { ...(await factsUnderLock(tx, userId, 'message.edit')), serverMuted: this.mutes.find(userId) };
      const blocked = refuseUnless(facts, 'message.edit');
      const message = await messageUnderLock(tx, seq);
      if (message.senderId !== userId) throw new ChatError('forbidden', 'Only its sender may edit a message.');
      const current = messageView(message);
      if (message.deletedAt) throw new ChatError('conflict', 'The message is deleted.', { current });
      const sameText = text === undefined || text === message.text;
      const sameMeta = meta === undefined || isDeepStrictEqual(asStored(meta), message.meta);
      if (sameText && sameMeta) return current;
      if (blocked) throw blocked.code === 'conflict' ? withCurrent(blocked, current) : blocked;
      if (ifVersion !== undefined && ifVersion !== message.version) {
        throw new ChatError('conflict', 'The message has been edited since.', { current });
      }
      const edited = { text: text ?? message.text, meta: meta ?? message.meta, version: message.version + 1, editedAt: tx.at };
      return changeMessage(tx, 'message.updated', message, edited);
    });
  }

  /**
   * Empties the message; its place in the log and its `clientId` stay taken. What a moderator took away is kept for administrators.
   * @returns what is left of it; its `lastSeq` is the seq of the event made, if one was
   * @throws {ChatError} not_found, forbidden; conflict when the room is archived
   */
  delete({ userId }: Principal, { room, seq }: MessageName): Promise<Message> {
    return this.log.transact(room, async (tx) => {
      const facts = await factsUnderLock(tx, userId, 'message.delete');
      let blocked = refuseUnless(facts, 'message.delete');
      const message = await messageUnderLock(tx, seq);
      if (message.senderId !== userId) blocked = refuseUnless(facts, 'message.delete.any');
      const current = messageView(message);
      if (message.deletedAt) return current;
      if (blocked) throw withCurrent(blocked, current);
      if (message.senderId !== userId) return removeMessage(tx, message, { by: userId, reason: IN_ROOM });
      return changeMessage(tx, 'message.deleted', message, { ...EMPTY, deletedAt: tx.at });
    });
  }
}

/** Why, in the room, where nobody is asked. */
const IN_ROOM = 'Deleted by a moderator of the room.';

/** @returns the refusal that lies in a mute or the room's state, which holds only for what would change something. @throws any other */
function refuseUnless(facts: AccessFacts, action: RoomAction): ChatError | null {
  const { reason } = explain(action, facts);
  const refused = refusal(action, facts);
  if (refused && !isOfState(reason!)) throw refused;
  return refused;
}

function withCurrent({ code, message }: ChatError, current: Message): ChatError {
  return new ChatError(code, message, { current });
}

/** As it comes back from the database: JSON has neither -0 nor undefined. */
function asStored(meta: Meta): Meta {
  return JSON.parse(JSON.stringify(meta)) as Meta;
}
