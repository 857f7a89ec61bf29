import { z } from 'zod';
import { LIMITS } from './limits.js';
import { metaProblem, textProblem } from './text.js';

/** What a client may ask over the socket: one strict schema a command. An unknown field is refused. */

const text = (max: number, min = 1) =>
  z.custom<string>((value) => textProblem(value, min, max) === null, {
    error: (issue) => textProblem(issue.input, min, max) ?? 'invalid',
  });
const meta = z.custom<Record<string, unknown>>((value) => metaProblem(value) === null, {
  error: (issue) => metaProblem(issue.input) ?? 'invalid',
});
// Any UUID form that PostgreSQL takes is one room; lower case is the name it has in events.
const room = z.guid().toLowerCase();
const seq = z.int().min(1);
const position = z.int().min(0);

const since = z.strictObject({ epoch: text(64), seq: position });
const follow = z.strictObject({ room, since: since.optional() });
const oneRoom = z.strictObject({ room });
const message = z.strictObject({ room, seq });

export const COMMANDS = {
  'room.subscribe': follow,
  'rooms.subscribe': z
    .strictObject({ rooms: z.array(follow).min(1).max(LIMITS.roomsPerSubscribe) })
    .refine(({ rooms }) => new Set(rooms.map((r) => r.room)).size === rooms.length, { error: 'must name each room once', path: ['rooms'] }),
  'room.unsubscribe': oneRoom,
  'room.join': oneRoom,
  'room.leave': oneRoom,
  'message.send': z.strictObject({ room, clientId: text(LIMITS.clientIdChars), text: text(LIMITS.textChars), meta: meta.optional() }),
  'message.edit': z
    .strictObject({ room, seq, text: text(LIMITS.textChars).optional(), meta: meta.optional(), ifVersion: seq.optional() })
    .refine((edit) => edit.text !== undefined || edit.meta !== undefined, { error: 'text or meta must be given' }),
  'message.delete': message,
  'read.set': z.strictObject({ room, seq: position }),
  'typing.start': oneRoom,
  'typing.stop': oneRoom,
  'presence.set': z.strictObject({ status: z.enum(['online', 'away', 'busy', 'invisible']) }),
  'presence.watch': oneRoom,
  'presence.unwatch': oneRoom,
  'history.get': z
    .strictObject({
      room,
      before: seq.optional(),
      after: position.optional(),
      around: seq.optional(),
      limit: z.int().min(1).max(LIMITS.pageItems).optional(),
    })
    .refine((page) => [page.before, page.after, page.around].filter((v) => v !== undefined).length <= 1, {
      error: 'at most one of before, after and around may be given',
    }),
  'auth.refresh': z.strictObject({ token: text(LIMITS.frameBytes) }),
  ping: z.strictObject({}),
} as const;

export type CommandName = keyof typeof COMMANDS;
export type CommandData<N extends CommandName> = z.infer<(typeof COMMANDS)[N]>;

/** Where a client left a room: `recovered` replays start behind it. */
export type Since = z.infer<typeof since>;
