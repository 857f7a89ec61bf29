import { once } from 'node:events';
import { WebSocket } from 'ws';

/** Any frame of the server. */
export interface Frame {
  id?: number;
  event: string;
  room?: string;
  seq?: number;
  at?: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read deep into what came
  data: any;
}

/** What a refused command rejects with: the `data` of its error frame. */
export class CommandError extends Error {
  override readonly name = 'CommandError';

  constructor(
    readonly code: string,
    message: string,
    readonly data: Record<string, unknown>,
  ) {
    super(`${code}: ${message}`);
  }
}

export interface ConnectOptions {
  token?: string;
  /** More headers of the handshake. */
  headers?: Record<string, string>;
  protocols?: string[];
  /** How long `next` waits and a command may take. */
  patienceMs?: number;
}

interface Waiter {
  matches: (frame: Frame) => boolean;
  resolve: (frame: Frame) => void;
  reject: (error: Error) => void;
}

/** A client with nothing but `ws`: it keeps every frame, and waits for conditions, never for a time. */
export class ChatClient {
  /** Every frame that came, `hello` first. */
  readonly frames: Frame[] = [];
  /** Resolves when the socket is closed, by whomever. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #waiters = new Set<Waiter>();
  #nextId = 1;

  private constructor(
    readonly socket: WebSocket,
    private readonly patienceMs: number,
  ) {
    socket.on('message', (data: Buffer) => this.#receive(JSON.parse(data.toString('utf8')) as Frame));
    socket.on('error', () => {}); // 'close' follows and tells
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        for (const waiter of this.#waiters) waiter.reject(new Error(`the socket was closed with ${code} ${reason.toString()}`));
        this.#waiters.clear();
      });
    });
  }

  /** Opens a socket and waits for its `hello`. Rejects when the upgrade is refused: `refusedUpgrade` tells how. */
  static async connect(wsUrl: string, options: ConnectOptions = {}): Promise<ChatClient> {
    const headers = { ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }), ...options.headers };
    const socket = new WebSocket(wsUrl, options.protocols ?? [], { headers, perMessageDeflate: false });
    const client = new ChatClient(socket, options.patienceMs ?? 10_000);
    await once(socket, 'open');
    await client.seen((frame) => frame.event === 'hello');
    return client;
  }

  /** @returns the data of the ack. @throws {CommandError} with that of the error frame */
  async command(event: string, data: object = {}, id = this.#nextId++): Promise<Frame['data']> {
    const answer = this.next((frame) => frame.id === id);
    this.raw(JSON.stringify({ id, event, data }));
    const frame = await answer;
    if (frame.event === 'error') {
      const { code, message } = frame.data as { code: string; message: string };
      throw new CommandError(code, message, frame.data as Record<string, unknown>);
    }
    return frame.data as unknown;
  }

  /** Waits for the first frame from now on that matches. */
  next(matches: (frame: Frame) => boolean): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        const last = this.frames.slice(-5).map((frame) => JSON.stringify(frame).slice(0, 300));
        reject(new Error(`no such frame came within ${this.patienceMs} ms; the last ones:\n${last.join('\n')}`));
      }, this.patienceMs);
      const waiter: Waiter = {
        matches,
        resolve: (frame) => {
          clearTimeout(timer);
          resolve(frame);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  /** The first frame that matches, one that has come already or the next. */
  async seen(matches: (frame: Frame) => boolean): Promise<Frame> {
    return this.frames.find(matches) ?? this.next(matches);
  }

  /** Sends text as it is. */
  raw(text: string): void {
    this.socket.send(text);
  }

  /** The durable events of a room that came live, in the order in which they came. */
  events(room: string): Frame[] {
    return this.frames.filter((frame) => frame.room === room && frame.seq !== undefined);
  }

  async close(code = 1000): Promise<void> {
    this.socket.close(code);
    await this.closed;
  }

  /** Drops the connection without a word. */
  async terminate(): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }

  #receive(frame: Frame): void {
    this.frames.push(frame);
    for (const waiter of this.#waiters) {
      if (!waiter.matches(frame)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(frame);
    }
  }
}

export interface RefusedUpgrade {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: { code: string; message: string; requestId: string; retryAfterMs?: number };
}

/** Tries to open a socket and returns the HTTP answer that refused it. @throws when it opens */
export function refusedUpgrade(wsUrl: string, options: ConnectOptions = {}): Promise<RefusedUpgrade> {
  const headers = { ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }), ...options.headers };
  const socket = new WebSocket(wsUrl, options.protocols ?? [], { headers });
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.terminate();
      reject(new Error('the socket opened'));
    });
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: JSON.parse(text) as RefusedUpgrade['body'] });
      });
    });
  });
}
