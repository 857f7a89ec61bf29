import { isDeepStrictEqual } from 'node:util';
import type { Message } from '../../src/protocol/index.js';
import type { Frame } from '../support/chat-client.js';
import { type FirstMembers, type Following, problemsOf } from '../support/followed-room.js';

/** One try to send a message, over one connection. */
export interface Attempt {
  /** Names the connection, over all clients. */
  connection: string;
  /** Attempts of one connection were made in the order of this number. */
  order: number;
  /** *failed*: certainly not done; *unknown*: may have been done. */
  outcome: 'acked' | 'failed' | 'unknown';
  /** Of an ack. */
  seq?: number;
  duplicate?: boolean;
}

/** A message that somebody wanted to send; each retry has the same clientId. */
export interface Send {
  room: string;
  sender: string;
  clientId: string;
  attempts: Attempt[];
}

/** What one device saw of a room, over all its connections. */
export interface Trail {
  viewer: string;
  room: string;
  followings: readonly Following[];
  /** The messages as the device has them in the end; not given when it does not keep them. */
  copy?: readonly Message[];
}

/** A room as the server has it when all is over. */
export interface RoomRecord {
  room: string;
  isPrivate: boolean;
  first: FirstMembers;
  headSeq: number;
  events: readonly Frame[];
  /** The whole history, oldest first. */
  messages: readonly Message[];
}

export type Harm = 'lost' | 'doubled' | 'out of order' | 'wrong';

export interface Problem {
  harm: Harm;
  text: string;
}

export interface Verdict {
  /** Sends that were acked, and those of unknown fate that were stored. */
  acked: number;
  unknownStored: number;
  problems: Problem[];
}

/**
 * Holds what clients were told against what the server has. Acked sends are in the history, failed ones are not, unknown ones once at
 * most; each (room, sender, clientId) is there once; a room's seqs have no hole and its times do not go back; a connection's sends to a room
 * were numbered in the order in which they were made; and each device saw, live and replayed, the log's events in order, each once, up to
 * the head or the end of its access.
 */
export function judge(rooms: readonly RoomRecord[], sends: readonly Send[], trails: readonly Trail[]): Verdict {
  const byRoom = new Map(rooms.map((room) => [room.room, room]));
  const fate = fateOfSends(byRoom, sends);
  return {
    ...fate,
    problems: [
      ...rooms.flatMap(logProblems),
      ...fate.problems,
      ...orderProblems(sends),
      ...trails.flatMap((trail) => trailProblems(trail, byRoom.get(trail.room)!)),
    ],
  };
}

function problem(harm: Harm, text: string): Problem {
  return { harm, text };
}

function logProblems({ room, headSeq, events, messages }: RoomRecord): Problem[] {
  const problems = walk(events, 0, `the log of ${room}`);
  if ((events.at(-1)?.seq ?? 0) < headSeq) problems.push(problem('lost', `the log of ${room} ends before its head ${headSeq}`));
  events.forEach(({ at, seq }, index) => {
    if (index > 0 && at! < events[index - 1]!.at!)
      problems.push(problem('out of order', `${room}/${seq} is earlier than what is before it`));
  });
  const named = new Set<string>();
  const posted = events.filter(({ event }) => event === 'message.created');
  for (const { seq, data } of posted) {
    const name = nameOf(room, data.sender as string, data.clientId as string);
    if (named.has(name)) problems.push(problem('doubled', `${name} is there twice, again at ${seq}`));
    named.add(name);
  }
  const history = new Map(messages.map((message) => [message.seq, message]));
  if (messages.length !== history.size) problems.push(problem('doubled', `the history of ${room} names a message twice`));
  for (const { seq, data } of posted) {
    if (history.get(seq!)?.clientId !== data.clientId)
      problems.push(problem('lost', `${room}/${seq} is in the log and not in the history`));
  }
  if (history.size > posted.length) problems.push(problem('wrong', `the history of ${room} has more messages than its log`));
  return problems;
}

/** Seqs are to come one after the other from behind `from` on. */
function walk(events: readonly Frame[], from: number, where: string): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<number>();
  let last = from;
  for (const seq of events.map((event) => event.seq!)) {
    if (seen.has(seq)) problems.push(problem('doubled', `${where} has ${seq} twice`));
    else if (seq < last) problems.push(problem('out of order', `${where} has ${seq} after ${last}`));
    else if (seq === last) problems.push(problem('doubled', `${where} has ${seq}, which was there before`));
    else if (seq > last + 1) problems.push(problem('lost', `${where} has ${seq} after ${last}`));
    seen.add(seq);
    last = Math.max(last, seq);
  }
  return problems;
}

function fateOfSends(rooms: ReadonlyMap<string, RoomRecord>, sends: readonly Send[]): Verdict {
  const problems: Problem[] = [];
  const stored = new Map<string, number>();
  for (const { room, events } of rooms.values()) {
    for (const { event, seq, data } of events) {
      if (event === 'message.created') stored.set(nameOf(room, data.sender as string, data.clientId as string), seq!);
    }
  }
  let acked = 0;
  let unknownStored = 0;
  for (const { room, sender, clientId, attempts } of sends) {
    const name = nameOf(room, sender, clientId);
    const seq = stored.get(name);
    stored.delete(name);
    const acks = attempts.filter(({ outcome }) => outcome === 'acked');
    if (acks.length > 0) {
      acked++;
      if (seq === undefined) problems.push(problem('lost', `${name} was acked and is not there`));
      else if (acks.some((ack) => ack.seq !== seq)) problems.push(problem('wrong', `${name} was acked as another seq than ${seq}`));
      if (acks.filter(({ duplicate }) => !duplicate).length > 1) problems.push(problem('doubled', `${name} was acked twice as new`));
    } else if (seq !== undefined && attempts.every(({ outcome }) => outcome === 'failed')) {
      problems.push(problem('wrong', `${name} is there, and was said to have failed`));
    }
    if (seq !== undefined && attempts[0]?.outcome === 'unknown' && acks.every(({ duplicate }) => duplicate)) unknownStored++;
  }
  for (const name of stored.keys()) problems.push(problem('wrong', `${name} is there, and nobody sent it`));
  return { acked, unknownStored, problems };
}

function orderProblems(sends: readonly Send[]): Problem[] {
  const made = sends.flatMap(({ room, attempts }) => attempts.map((attempt) => ({ room, ...attempt }))).sort((a, b) => a.order - b.order);
  const last = new Map<string, number>();
  const problems: Problem[] = [];
  for (const { room, connection, outcome, duplicate, seq } of made) {
    if (outcome !== 'acked' || duplicate) continue;
    const key = `${connection} in ${room}`;
    if (seq! <= (last.get(key) ?? 0)) problems.push(problem('out of order', `${key} got ${seq} after ${last.get(key)}`));
    last.set(key, seq!);
  }
  return problems;
}

function trailProblems({ viewer, room, followings, copy }: Trail, log: RoomRecord): Problem[] {
  const where = `${viewer} in ${room}`;
  const problems: Problem[] = [];
  let last: number | undefined;
  for (const following of followings) {
    const { ack, since, live } = following;
    // A device that resumes does so from the last event that it has processed.
    if (since !== null && since !== last) problems.push(problem('wrong', `${where} resumed from ${since}, and had ${last}`));
    if (since !== null && ack.recovered) problems.push(...walk(ack.events, since, `the replay of ${where}`));
    const replayed = since !== null && ack.recovered ? (ack.events.at(-1)?.seq ?? since) : ack.headSeq;
    if (replayed < ack.headSeq) problems.push(problem('lost', `the replay of ${where} ends at ${replayed} before ${ack.headSeq}`));
    problems.push(...walk(live, ack.headSeq, where));
    last = Math.max(ack.headSeq, ...live.map(({ seq }) => seq!));
  }
  if (followings.at(-1)?.end === 'open' && last! < log.headSeq)
    problems.push(problem('lost', `${where} ends at ${last} of ${log.headSeq}`));
  if (problems.length > 0) return problems;
  // Seqs are right: now the events themselves, and the end of access.
  const whole = { ...log, banned: new Set<string>(), hintsFailed: true };
  problems.push(...followings.flatMap((following) => problemsOf(following, whole)).map((text) => problem('wrong', text)));
  if (copy && !isDeepStrictEqual(copy, log.messages)) problems.push(problem('wrong', `${where} has other messages than the history`));
  return problems;
}

function nameOf(room: string, sender: string, clientId: string): string {
  return `${room}/${sender}/${clientId}`;
}
