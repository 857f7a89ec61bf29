import { isDeepStrictEqual } from 'node:util';
import { LIMITS, type Message } from '../../src/protocol/index.js';
import type { Frame } from './chat-client.js';

/** How a user's standing in a room begins, before its log. */
export type FirstMembers = ReadonlyMap<string, string>;

/** One subscription of one connection, from its ack to its end, as the client saw it. */
export interface Following {
  room: string;
  user: string;
  since: number | null;
  /** Data of the ack. */
  ack: { headSeq: number; role: string | null; recovered: boolean; events: Frame[] };
  live: Frame[];
  /** `open`, `unsubscribed`, `replaced`, `cut` with its socket, or the reason of `room.closed`. */
  end: string;
}

export interface Log {
  events: readonly Frame[];
  isPrivate: boolean;
  first: FirstMembers;
  /** Users who were banned at some time: a reader's ban has no event of its own. */
  banned: ReadonlySet<string>;
  /** Whether hints may have failed: then live events may come from the log, where a message is shown as it stands. */
  hintsFailed?: boolean;
}

/** What is wrong with a subscription, given the whole log; nothing when it is as the protocol has it. */
export function problemsOf(following: Following, log: Log): string[] {
  return [...ackProblems(following, log), ...liveProblems(following, log), ...endProblems(following, log)].map(
    (problem) => `${following.user} from ${following.ack.headSeq} to ${following.live.at(-1)?.seq}, ${following.end}: ${problem}`,
  );
}

function ackProblems({ ack, since, user }: Following, log: Log): string[] {
  const problems: string[] = [];
  const role = roleAt(log, user, ack.headSeq);
  if (role !== ack.role) problems.push(`its ack says ${ack.role}, the log ${role}`);
  if (log.isPrivate && role === null) problems.push('a stranger follows a private room');
  const allMissed = since === null ? [] : log.events.slice(since, ack.headSeq);
  const mayRecover = since !== null && isReplayable(allMissed);
  if (ack.recovered !== mayRecover) problems.push(`recovered is ${ack.recovered} for since ${since}`);
  const missed = mayRecover ? allMissed : [];
  if (seqsOf(missed) !== seqsOf(ack.events)) problems.push(`since ${since} it was replayed ${seqsOf(ack.events)}`);
  for (const event of ack.events) problems.push(...eventProblems(event, log, 'replayed'));
  return problems;
}

/** Whole or not at all: more than this is to be paged. */
function isReplayable(missed: readonly Frame[]): boolean {
  const bytes = missed.reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event)), 0);
  return missed.length <= LIMITS.replayEvents && bytes <= LIMITS.replayBytes;
}

function liveProblems({ ack, live, user }: Following, log: Log): string[] {
  const problems: string[] = [];
  const expected = log.events.slice(ack.headSeq, ack.headSeq + live.length);
  if (seqsOf(expected) !== seqsOf(live)) problems.push(`it heard ${seqsOf(live)}`);
  const end = endOf(log, user, ack.headSeq);
  if (live.some(({ seq }) => seq! > end)) problems.push(`it heard more than the end of its access at ${end}`);
  for (const event of live) problems.push(...eventProblems(event, log, log.hintsFailed ? 'replayed' : 'live'));
  return problems;
}

function endProblems({ ack, live, user, end }: Following, log: Log): string[] {
  const last = live.at(-1)?.seq ?? ack.headSeq;
  const ended = endOf(log, user, ack.headSeq);
  switch (end) {
    case 'open':
      if (ended !== Infinity) return [`it is open in spite of the end at ${ended}`];
      return last === log.events.length ? [] : [`it did not hear up to ${log.events.length}`];
    case 'cut':
      return [];
    case 'unsubscribed':
    case 'replaced':
      return last < ended ? [] : [`it was not closed by the end at ${ended}`];
    case 'banned':
      if (ended !== last) return log.banned.has(user) && roleAt(log, user, last) === null ? [] : ['it was closed without a ban'];
      return [];
    default:
      if (ended !== last) return [`its access ends at ${ended}`];
      return reasonOf(log.events[last - 1]!) === (end === 'left') ? [] : ['it was closed for another reason'];
  }
}

// Whether the member went by himself.
function reasonOf({ data }: Frame): boolean {
  return data.by === data.user;
}

/** Live events are whole and as they were; the message in a replayed one may be newer, never older. */
function eventProblems(event: Frame, log: Log, how: 'live' | 'replayed'): string[] {
  const logged = log.events[event.seq! - 1];
  if (!logged) return [`${event.seq} is not in the log`];
  const problems: string[] = [];
  if (event.event !== logged.event || event.at !== logged.at) problems.push(`${event.seq} is ${event.event} at ${event.at}`);
  if (!event.event.startsWith('message.')) {
    if (!isDeepStrictEqual(event.data, logged.data)) problems.push(`${event.seq} has ${JSON.stringify(event.data)}`);
    return problems;
  }
  const { seq, lastSeq } = event.data as Message;
  if (seq !== logged.data.seq) problems.push(`${event.seq} is about ${seq}`);
  if (how === 'live' ? lastSeq !== event.seq : lastSeq < event.seq!) problems.push(`${event.seq} has lastSeq ${lastSeq}`);
  if (lastSeq > logged.data.lastSeq) problems.push(`${event.seq} has lastSeq ${lastSeq}, the log ${logged.data.lastSeq}`);
  return problems;
}

/** The first event behind `from` by which the user's access ends; Infinity when there is none. */
function endOf({ events }: Log, user: string, from: number): number {
  return events.find(({ seq, event, data }) => seq! > from && event === 'member.left' && data.user === user)?.seq ?? Infinity;
}

export function roleAt({ events, first }: Log, user: string, seq: number): string | null {
  let role = first.get(user) ?? null;
  for (const { event, data } of events.slice(0, seq)) {
    if (data.user !== user) continue;
    if (event === 'member.joined' || event === 'member.updated') role = data.role as string;
    if (event === 'member.left') role = null;
  }
  return role;
}

function seqsOf(events: readonly Frame[]): string {
  return events.map(({ seq }) => seq).join(' ');
}

/** A client's copy of a room's messages: pages, replays and live events go in, in any order. */
export class MessageCopy {
  readonly #messages = new Map<number, Message>();

  page(messages: readonly Message[]): void {
    for (const message of messages)
      if (message.lastSeq > (this.#messages.get(message.seq)?.lastSeq ?? 0)) this.#messages.set(message.seq, message);
  }

  /** The rule of the protocol: an event up to the message's `lastSeq` is ignored. */
  event({ event, seq, data }: Frame): void {
    if (!event.startsWith('message.')) return;
    const message = data as Message;
    if (seq! > (this.#messages.get(message.seq)?.lastSeq ?? 0)) this.#messages.set(message.seq, message);
  }

  get messages(): Message[] {
    return [...this.#messages.values()].sort((one, other) => one.seq - other.seq);
  }
}
