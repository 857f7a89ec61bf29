import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Principal } from '../auth/principal.js';
import { ChatError } from '../errors/chat-error.js';
import { rateLimited } from '../limits/rate-limits.js';
import {
  type ClosedReason,
  type CloseReason,
  type CommandFrame,
  ephemeralFrame,
  errorFrame,
  type FrameProblem,
  LIMITS,
  parseFrame,
} from '../protocol/index.js';
import { Connection } from './connection.js';
import { FloodCount } from './flood-count.js';
import { RoomOrder } from './room-order.js';
import type { Follower, Subscription } from './room-stream.js';
import type { TurnEnd } from './turn-end.js';

/** Whom a connection came from, as the upgrade said. */
export interface ClientInfo {
  address: string;
  userAgent: string | null;
}

/** What a session asks of the server. */
export interface SessionHost {
  /** Runs the command's handler; resolves when it is answered, never rejects. @param cameAt when the frame came (`performance.now()`) */
  dispatch(session: Session, frame: CommandFrame, cameAt: number): Promise<void>;
  /** @returns 0, or the milliseconds that the user must wait. */
  takeCommand(user: string, connection: string): number;
  readonly turnEnd: TurnEnd;
}

/** So many frames refused by the rate limit in ten seconds: the client does not listen. */
const MAX_REFUSED = 1_000;
const REFUSED_WINDOW_MS = 10_000;
/** So many frames that are no commands at all, one after the other. */
const MAX_BAD_FRAMES = 100;
/** Pings of ours in a row that may stay unanswered. */
const MAX_UNANSWERED = 2;
/** Pings (RFC 6455) that a client may send in a second. */
const MAX_PINGS = 50;

/** A command whose turn comes later than this is refused: its client has given it up, and what is behind it waits as long. */
const MAX_WAIT_MS = 10_000;

const ANSWERED_AT_ONCE = new Set<string>(['ping', 'auth.refresh']);

/**
 * One open socket and its user. Frames are taken in order: each is answered, by `ack`, `error` or a close. Up to `inFlight` commands
 * are under way; then, or while the client does not read, the socket is not read.
 */
export class Session implements Follower {
  readonly connection: Connection;
  /** By room; live ones only. */
  readonly subscriptions = new Map<string, Subscription>();
  /** Subscriptions whose first read is under way. */
  opening = 0;
  /** The user's token as it is now: `auth.refresh` replaces it. */
  principal: Principal;
  /** Set when `auth.expiring` was sent for this token. */
  isWarned = false;
  nextPingAt = 0;
  pingsUnanswered = 0;

  /** Unix milliseconds. */
  readonly openedAt = Date.now();

  readonly #order = new RoomOrder();
  readonly #busyIds = new Set<number>();
  #underWay = 0;
  /** Frames that came in one read with those under way. Bounded by what one read brings. */
  #backlog: string[] = [];
  readonly #refusals = new FloodCount(MAX_REFUSED, REFUSED_WINDOW_MS);
  #badFrames = 0;
  #takenBytes = 0;
  readonly #pings = new FloodCount(MAX_PINGS, 1_000);
  #onIdle: (() => void) | null = null;
  #onClosed: (() => void) | null = null;
  #isClosed = false;

  constructor(
    readonly id: string,
    principal: Principal,
    private readonly ws: WebSocket,
    socket: Socket,
    private readonly host: SessionHost,
    readonly client: ClientInfo,
  ) {
    this.principal = principal;
    this.connection = new Connection(ws, socket, host.turnEnd, () => this.#regulate());
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when the socket is closed. */
  get closed(): Promise<void> {
    return this.#isClosed ? Promise.resolve() : new Promise((resolve) => (this.#onClosed = resolve));
  }

  markClosed(): void {
    this.#isClosed = true;
    this.#backlog = [];
    this.#onClosed?.();
  }

  get userId(): string {
    return this.principal.userId;
  }

  write(frames: Buffer): void {
    this.connection.write(frames);
  }

  deliver(frame: Buffer, key: string): void {
    this.connection.deliver(frame, key);
  }

  close(reason: CloseReason): void {
    this.connection.close(reason);
  }

  endSubscription(room: string, reason: ClosedReason): void {
    this.subscriptions.delete(room);
    this.write(ephemeralFrame('room.closed', { reason }, room));
  }

  /** A new token of the same user: it holds for later commands. */
  renew(principal: Principal): void {
    this.principal = principal;
    this.isWarned = false;
  }

  /** The server does not read: too much is under way, or the client takes too little. */
  get isReadPaused(): boolean {
    return this.ws.isPaused;
  }

  /** Asks for a sign of life. @returns false when the client let two such questions go unanswered */
  beat(): boolean {
    const { takenBytes, isSlow } = this.connection;
    // A socket that is not read shows no pong. Then its client lives while it takes what is written, or while it waits for us.
    if (this.isReadPaused && (!isSlow || takenBytes > this.#takenBytes)) this.pingsUnanswered = 0;
    this.#takenBytes = takenBytes;
    if (this.pingsUnanswered >= MAX_UNANSWERED) return false;
    this.pingsUnanswered++;
    this.ws.ping();
    return true;
  }

  /** Takes one message of the socket. */
  receive(data: Buffer, isBinary: boolean): void {
    if (this.connection.isClosing) return;
    this.pingsUnanswered = 0;
    if (isBinary) return this.close('unsupportedData');
    const text = data.toString();
    if (this.#isFull) this.#backlog.push(text);
    else this.#accept(text);
    this.#regulate();
  }

  receivePing(): void {
    if (this.#pings.isOver(Date.now())) this.close('flooding');
  }

  /** Resolves when no command is under way. */
  idle(): Promise<void> {
    return this.#underWay === 0 ? Promise.resolve() : new Promise((resolve) => (this.#onIdle = resolve));
  }

  #accept(text: string): void {
    const parsed = parseFrame(text);
    const { id } = 'problem' in parsed ? parsed.problem : parsed.command;
    if (id !== undefined && this.#busyIds.has(id)) {
      return this.#refuse({ id: undefined, code: 'bad_frame', message: `The id ${id} is that of a command under way.` });
    }
    if ('problem' in parsed) return this.#refuse(parsed.problem);
    const { command } = parsed;
    this.#badFrames = 0;
    const retryAfterMs = this.host.takeCommand(this.userId, this.id);
    if (retryAfterMs > 0) return this.#limit(command.id, retryAfterMs);
    this.#start(command);
  }

  // A bad frame counts against the limit as a command does, or it would be the cheaper way to flood.
  #refuse({ id, code, message, details }: FrameProblem): void {
    this.write(errorFrame(id, { code, message, retryable: false, ...(details && { details }) }));
    if (code === 'bad_frame' && ++this.#badFrames >= MAX_BAD_FRAMES) return this.close('protocolViolation');
    if (this.host.takeCommand(this.userId, this.id) > 0) this.#countRefusal();
  }

  #limit(id: number | undefined, retryAfterMs: number): void {
    this.write(errorFrame(id, rateLimited(retryAfterMs).toData()));
    this.#countRefusal();
  }

  #refuseLate(id: number | undefined): void {
    const late = new ChatError('unavailable', 'The command waited too long for those before it, and was not run.', { retryAfterMs: 1_000 });
    this.write(errorFrame(id, late.toData()));
  }

  #countRefusal(): void {
    if (this.#refusals.isOver(Date.now())) this.close('flooding');
  }

  #start(frame: CommandFrame): void {
    const { id, event } = frame;
    if (id !== undefined) this.#busyIds.add(id);
    this.#underWay++;
    const cameAt = performance.now();
    const run = async () => {
      if (performance.now() - cameAt > MAX_WAIT_MS) this.#refuseLate(id);
      else await this.host.dispatch(this, frame, cameAt);
      this.#finish(id);
    };
    if (ANSWERED_AT_ONCE.has(event)) void run();
    else this.#order.run(roomsOf(frame), event === 'message.send', run);
  }

  #finish(id: number | undefined): void {
    if (id !== undefined) this.#busyIds.delete(id);
    this.#underWay--;
    this.#regulate();
    if (this.#underWay > 0) return;
    this.#onIdle?.();
    this.#onIdle = null;
  }

  get #isFull(): boolean {
    return this.#underWay >= LIMITS.inFlight || this.connection.isSlow;
  }

  /** Reads from the socket, or not, as it stands now. */
  #regulate(): void {
    if (this.connection.isClosing) return;
    if (this.#isFull) {
      if (!this.isReadPaused) this.ws.pause();
      return;
    }
    while (this.#backlog.length > 0 && !this.#isFull && !this.connection.isClosing) this.#accept(this.#backlog.shift()!);
    if (this.isReadPaused && !this.#isFull && !this.connection.isClosing) this.ws.resume();
  }
}

/** Whose order a command keeps; those without a room are in order among themselves. */
function roomsOf({ data }: CommandFrame): string[] {
  if (typeof data.room === 'string') return [data.room];
  const rooms = data['rooms'];
  return Array.isArray(rooms) ? (rooms as { room: string }[]).map(({ room }) => room) : [''];
}
