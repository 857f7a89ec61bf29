import type { INestApplicationContext, WsMessageHandler } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Principal } from '../auth/principal.js';
import { ChatError } from '../errors/chat-error.js';
import { type HttpErrorAnswer, httpErrorAnswer, toChatError } from '../errors/http-error.js';
import { requestIdOf } from '../errors/request-id.js';
import { type CommandFrame, ERROR_CODES, LIMITS } from '../protocol/index.js';
import { Tracer } from '../telemetry/tracing.js';
import { AccessRefusals } from './access-refusals.js';
import { Command } from './command.js';
import type { ClientInfo, Session } from './session.js';
import { Sessions } from './sessions.service.js';
import { Upgrade } from './upgrade.js';

type Handler = (command: Command) => Promise<unknown>;

/** Nest binds its handlers to this once; which connection a command came from is in the command. */
const EVERY_CLIENT = {};

/**
 * Nest's way to the sockets, on the HTTP server's own port. The stock adapter runs the frames of a client in any order, drops bad ones in
 * silence, binds every handler anew for each client, and authenticates nobody; this one admits at the upgrade, keeps one table of handlers,
 * and leaves order and answers to the `Session`.
 */
export class ChatAdapter extends WsAdapter {
  readonly #handlers = new Map<string, Handler>();
  readonly #upgrade: Upgrade;
  readonly #refusals: AccessRefusals;
  readonly #sessions: Sessions;
  readonly #tracer: Tracer;
  readonly #http: Server;
  #sockets: WebSocketServer | undefined;

  constructor(app: INestApplicationContext & { getHttpServer(): Server }) {
    super(app);
    this.#http = app.getHttpServer();
    this.#upgrade = app.get(Upgrade, { strict: false });
    this.#refusals = app.get(AccessRefusals, { strict: false });
    this.#sessions = app.get(Sessions, { strict: false });
    this.#tracer = app.get(Tracer, { strict: false });
  }

  override create(): WebSocketServer {
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: LIMITS.frameBytes,
      handleProtocols: (offered) => (offered.has('parley.v1') ? 'parley.v1' : false),
    });
    // Whatever else ws finds wrong, in our words too.
    this.#sockets.on('wsClientError', (error: Error, socket: Socket, request: IncomingMessage) =>
      this.#refuse(request, socket, new ChatError('validation_failed', error.message)),
    );
    this.#http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => void this.#onUpgrade(request, socket, head));
    return this.#sockets;
  }

  override bindClientConnect(_server: unknown, callback: (client: object) => void): void {
    callback(EVERY_CLIENT);
  }

  override bindClientDisconnect(): void {
    // EVERY_CLIENT never leaves.
  }

  override bindMessageHandlers(_client: unknown, handlers: WsMessageHandler[]): void {
    for (const { message, callback } of handlers) this.#handlers.set(message, callback as Handler);
    this.#sessions.dispatch = this.#tracer.isOn
      ? (session, frame, cameAt) => this.#dispatchTraced(session, frame, cameAt)
      : (session, frame) => this.#dispatch(new Command(session, frame.id, frame.event, frame.data));
  }

  override async close(): Promise<void> {
    await Promise.resolve(this.#sockets?.close());
  }

  async #dispatch(command: Command): Promise<void> {
    try {
      // A failure has been answered by the gateway's filter: then this is undefined, and comes too late to count.
      command.ack((await this.#handlers.get(command.event)!(command)) ?? {});
    } catch (error) {
      command.fail(error);
    }
  }

  /** The span is as long as the frame was here, waiting for those before it included. */
  async #dispatchTraced(session: Session, { id, event, data, traceparent }: CommandFrame, since: number): Promise<void> {
    const command = new Command(session, id, event, data);
    const facts = { 'parley.connection': session.id, ...(data.room !== undefined && { 'parley.room': data.room }) };
    const span = this.#tracer.begin({ name: event, kind: 'server', facts, since }, traceparent);
    await this.#tracer.within(span, () => this.#dispatch(command));
    const { failure } = command;
    span?.end(failure?.code, failure && ERROR_CODES[failure.code].status >= 500);
  }

  async #onUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    // Before anything is awaited: a reset without a listener would end the process.
    socket.on('error', () => socket.destroy());
    try {
      const principal = await this.#upgrade.admit(request);
      if (!this.#accept(request, socket, head, principal)) this.#upgrade.release(principal);
    } catch (error) {
      this.#refuse(request, socket, error);
    }
  }

  /** @returns whether the socket opened; if not, it was answered */
  #accept(request: IncomingMessage, socket: Socket, head: Buffer, principal: Principal): boolean {
    let isOpen = false;
    try {
      if (socket.destroyed) return false;
      this.#upgrade.confirm(principal);
      // Calls back at once or never.
      this.#sockets!.handleUpgrade(request, socket, head, (ws) => {
        isOpen = true;
        this.#open(ws, socket, principal, this.#upgrade.clientOf(request));
      });
    } catch (error) {
      this.#refuse(request, socket, error);
    }
    return isOpen;
  }

  #refuse(request: IncomingMessage, socket: Socket, error: unknown): void {
    const refusal = refusalOf(toChatError(error));
    const requestId = requestIdOf(request.headers);
    this.#refusals.noteHandshake(request, requestId, refusal);
    end(socket, httpErrorAnswer(refusal, requestId));
  }

  #open(ws: WebSocket, socket: Socket, principal: Principal, client: ClientInfo): void {
    socket.setNoDelay(true);
    const session = this.#sessions.open(ws, socket, principal, client);
    ws[SESSION] = session;
    ws.on('message', onMessage);
    ws.on('ping', onPing);
    ws.on('pong', onPong);
    ws.on('error', ignoreError);
    ws.on('close', () => {
      this.#sessions.closed(session);
      this.#upgrade.release(principal);
    });
  }
}

const SESSION = Symbol('session');

declare module 'ws' {
  interface WebSocket {
    [SESSION]: Session;
  }
}

// Shared by all sockets, as far as they can be: a closure costs memory a connection.
function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  this[SESSION].receive(data as Buffer, isBinary);
}

function onPing(this: WebSocket): void {
  this[SESSION].receivePing();
}

function onPong(this: WebSocket): void {
  this[SESSION].pingsUnanswered = 0;
}

// ws closes with the right code (1002, 1007, 1009) by itself; `close` follows.
function ignoreError(): void {}

/** To a client that wants to connect it is all one what the server waited for: it is not ready. */
function refusalOf(error: ChatError): ChatError {
  return error.code === 'timeout' ? new ChatError('unavailable', 'The server is not ready.', { retryAfterMs: 1_000, cause: error }) : error;
}

function end(socket: Socket, { status, headers, body }: HttpErrorAnswer): void {
  const json = JSON.stringify(body);
  const lines = Object.entries({
    ...headers,
    'X-Request-Id': body.requestId,
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(json)),
    Connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${json}`);
}
