import { Injectable } from '@nestjs/common';
import { ChatError, roomNotFound } from '../errors/chat-error.js';
import { toChatError } from '../errors/http-error.js';
import { type FollowSnapshot, RoomReplay } from '../log/room-replay.js';
import { LIMITS, type Since } from '../protocol/index.js';
import { refusal } from '../rooms/room-access.js';
import type { Command } from './command.js';
import type { Subscription } from './room-stream.js';
import { RoomStreams } from './room-streams.js';
import type { Session } from './session.js';

interface Request {
  room: string;
  since?: Since | undefined;
}

/** A subscription whose first read is done: `json` is what its ack says of the room, in pieces. */
interface Opened {
  json: (string | Buffer)[];
  subscription: Subscription;
  snapshot: FollowSnapshot;
}

/** Leaves room for the rest of the ack's frame. */
const ACK_BYTES = LIMITS.serverFrameBytes - 1_024;
const REFUSAL_BYTES = 300;

/**
 * Makes a connection follow a room. First the subscription is registered with the room's stream, then one statement reads head,
 * membership and missed events, then, in one turn, the ack is queued and the subscription goes live: so nothing falls between.
 */
@Injectable()
export class SubscriptionsService {
  constructor(
    private readonly streams: RoomStreams,
    private readonly replay: RoomReplay,
  ) {}

  /** Answers `room.subscribe`. @throws {ChatError} not_found, forbidden, conflict (too many), unavailable, timeout */
  async subscribe(command: Command, request: Request): Promise<void> {
    const opened = await this.#open(command.session, request);
    command.ackJson(opened.json);
    this.#goLive(command.session, opened);
  }

  /** Answers `rooms.subscribe`: each room by itself, in the order of the request. */
  async subscribeAll(command: Command, requests: Request[]): Promise<void> {
    const { session } = command;
    const results = await Promise.allSettled(requests.map((request) => this.#open(session, request)));
    const live: Opened[] = [];
    // What the refusals of all the rooms would take is never given away.
    let left = ACK_BYTES - REFUSAL_BYTES * requests.length;
    const parts = results.flatMap((result, index) => {
      const { room } = requests[index]!;
      const comma = index === 0 ? '' : ',';
      if (result.status === 'rejected') return [comma, refusedJson(room, result.reason)];
      const { json, subscription } = result.value;
      const bytes = json.reduce((sum, piece) => sum + Buffer.byteLength(piece), 1);
      if (bytes <= left) {
        left -= bytes;
        live.push(result.value);
        return [comma, ...json];
      }
      subscription.stream.leave(subscription);
      return [comma, refusedJson(room, new ChatError('unavailable', 'The answer would be too large: ask for this room again.'))];
    });
    command.ackJson(['{"rooms":[', ...parts, ']}']);
    for (const opened of live) this.#goLive(session, opened);
  }

  unsubscribe(session: Session, room: string): void {
    const subscription = session.subscriptions.get(room);
    session.subscriptions.delete(room);
    subscription?.stream.leave(subscription);
  }

  /** The connection has closed. */
  endAll(session: Session): void {
    for (const room of session.subscriptions.keys()) this.unsubscribe(session, room);
  }

  async #open(session: Session, { room, since }: Request): Promise<Opened> {
    if (!session.subscriptions.has(room) && session.subscriptions.size + session.opening >= LIMITS.subscriptions) {
      throw new ChatError('conflict', `A connection follows at most ${LIMITS.subscriptions} rooms.`);
    }
    session.opening++;
    try {
      const subscription = await this.streams.open(room, session);
      try {
        const snapshot = await this.#read(session.userId, room, since);
        if (subscription.stream.isOverfull) throw new ChatError('unavailable', 'The room is too busy to be followed right now.');
        return { json: snapshotJson(snapshot), subscription, snapshot };
      } catch (error) {
        subscription.stream.leave(subscription);
        throw error;
      }
    } finally {
      session.opening--;
    }
  }

  async #read(user: string, room: string, since: Since | undefined): Promise<FollowSnapshot> {
    const snapshot = await this.replay.follow({ room, user, since });
    if (!snapshot) throw roomNotFound();
    const { role, banned } = snapshot;
    const refused = refusal('room.subscribe', { room: snapshot.room, role, banned });
    if (refused) throw refused;
    return snapshot;
  }

  /** Must be called in the turn in which the ack was queued. */
  #goLive(session: Session, { subscription, snapshot }: Opened): void {
    if (session.isClosed) return subscription.stream.leave(subscription);
    const { id, epoch, headSeq } = snapshot.room;
    session.subscriptions.set(id, subscription);
    // What was held may end it at once: then it leaves the map again.
    subscription.stream.goLive(subscription, { epoch, headSeq, snapshot: snapshot.snapshot });
  }
}

function snapshotJson({ room, role, readSeq, recovered, eventsJson }: FollowSnapshot): (string | Buffer)[] {
  const { id, epoch, firstSeq, headSeq } = room;
  const head = JSON.stringify({ room: id, epoch, firstSeq, headSeq, recovered, readSeq, role });
  return [`${head.slice(0, -1)},"events":[`, eventsJson, ']}'];
}

function refusedJson(room: string, reason: unknown): string {
  const { code, message, retryable } = toChatError(reason).toData();
  return JSON.stringify({ room, error: { code, message, retryable } });
}
