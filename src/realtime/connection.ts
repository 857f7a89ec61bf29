import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { CLOSE_CODES, type CloseReason, UNSENT } from '../protocol/index.js';
import type { TurnEnd } from './turn-end.js';

/** The close frame waits behind what is unsent: a client that takes neither is cut off after this long. */
const CLOSE_PATIENCE_MS = 5_000;
/** Ephemeral frames kept for a slow client; beyond it the keys that have been silent the longest go. */
const MAX_DEFERRED_BYTES = 65_536;
/** Queued frames up to this are copied into one buffer; beyond it they are handed to the kernel as they are. */
const JOIN_BYTES = 16_384;

/**
 * The writing side of one socket. Frames are queued, and written together at the end of the turn, past ws's own sender: both write to
 * the same TCP socket in order, since nothing is compressed. Unsent bytes are bounded by `UNSENT`.
 */
export class Connection {
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  /** The last ephemeral frame of each key, the latest last, kept while the client reads too slowly. */
  #deferred: Map<string, Buffer> | null = null;
  #deferredBytes = 0;
  #isSlow = false;
  #closingSince: number | null = null;
  #closeReason: CloseReason | null = null;

  constructor(
    private readonly ws: WebSocket,
    private readonly socket: Socket,
    private readonly turnEnd: TurnEnd,
    /** Told when the client falls behind, and when it has caught up: no commands are read in between. */
    private readonly onPace: () => void,
  ) {
    socket.on('drain', () => this.#drained());
  }

  get isClosing(): boolean {
    return this.#closingSince !== null;
  }

  /** Why the server closed it; null when it did not. */
  get closeReason(): CloseReason | null {
    return this.#closeReason;
  }

  get isSlow(): boolean {
    return this.#isSlow;
  }

  /** All bytes that the kernel has taken so far: they grow while the client reads. */
  get takenBytes(): number {
    return this.socket.bytesWritten - this.socket.writableLength;
  }

  get unsentBytes(): number {
    return this.#queuedBytes + this.socket.writableLength;
  }

  write(frames: Buffer): void {
    if (this.isClosing) return;
    this.turnEnd.addSocket(this);
    this.#queue.push(frames);
    this.#queuedBytes += frames.length;
  }

  /** As `write`, for what a slow client can do without until it has caught up. */
  deliver(frame: Buffer, key: string): void {
    // Behind one that waits all wait, or an older frame would be the last of its key.
    if (this.#deferred !== null || this.unsentBytes > UNSENT.pauseBytes) this.#defer(frame, key);
    else this.write(frame);
  }

  flush(): void {
    if (this.#queue.length === 0) return;
    const queue = this.#queue;
    const bytes = this.#queuedBytes;
    this.#queue = [];
    this.#queuedBytes = 0;
    if (this.socket.destroyed) return;
    if (queue.length === 1) this.socket.write(queue[0]!);
    else if (bytes <= JOIN_BYTES) this.socket.write(Buffer.concat(queue, bytes));
    else this.#writeTogether(queue);
    if (this.socket.writableLength > UNSENT.pauseBytes) this.#fellBehind();
    // The kernel took at once what was too much in the queue: no 'drain' will tell.
    else if (!this.#isSlow) this.#writeDeferred();
  }

  /** Writes what is queued, then closes. Nothing is written after that. */
  close(reason: CloseReason): void {
    if (this.isClosing) return;
    this.flush();
    if (this.isClosing) return;
    this.#closingSince = Date.now();
    this.#closeReason = reason;
    this.#deferred = null;
    // Reading goes on, or the answer to the close would not be seen.
    if (this.ws.isPaused) this.ws.resume();
    this.ws.close(CLOSE_CODES[reason]);
  }

  /** Lets a client go on that has caught up without ever being quite done, and cuts off one that has not answered the close in time. */
  sweep(now: number): void {
    if (this.#isSlow && this.unsentBytes < UNSENT.pauseBytes / 2) this.#drained();
    if (this.#closingSince !== null && now - this.#closingSince > CLOSE_PATIENCE_MS) this.terminate();
  }

  /** Ends the socket without waiting for anything. */
  terminate(): void {
    this.ws.terminate();
  }

  #writeTogether(queue: Buffer[]): void {
    this.socket.cork();
    for (const frames of queue) this.socket.write(frames);
    this.socket.uncork();
  }

  #fellBehind(): void {
    if (this.socket.writableLength > UNSENT.closeBytes) return this.close('slowConsumer');
    if (this.#isSlow) return;
    this.#isSlow = true;
    this.onPace();
  }

  #drained(): void {
    if (!this.#isSlow) return;
    this.#isSlow = false;
    this.#writeDeferred();
    if (!this.isClosing) this.onPace();
  }

  #defer(frame: Buffer, key: string): void {
    const deferred = (this.#deferred ??= new Map<string, Buffer>());
    this.#drop(deferred, key);
    deferred.set(key, frame);
    this.#deferredBytes += key.length + frame.length;
    for (const oldest of deferred.keys()) {
      if (this.#deferredBytes <= MAX_DEFERRED_BYTES || deferred.size === 1) return;
      this.#drop(deferred, oldest);
    }
  }

  #drop(deferred: Map<string, Buffer>, key: string): void {
    const frame = deferred.get(key);
    if (!frame) return;
    deferred.delete(key);
    this.#deferredBytes -= key.length + frame.length;
  }

  #writeDeferred(): void {
    const deferred = this.#deferred;
    this.#deferred = null;
    this.#deferredBytes = 0;
    if (deferred) for (const frame of deferred.values()) this.write(frame);
  }
}
