import type { Type } from '@nestjs/common';
import { createHmac, randomUUID } from 'node:crypto';
import { Config } from '../../src/config/config.js';
import { ChatClient, type ConnectOptions } from './chat-client.js';
import { startTestApp, type TestApp, type TestSettings } from './test-app.js';

export interface HttpAnswer {
  status: number;
  headers: Headers;
  /** The body as it came. */
  text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read deep into what came
  body: any;
}

/** The whole server with what tests of hostile clients do over and over. */
export class ChatServer {
  private constructor(readonly test: TestApp) {}

  static async start(settings: TestSettings = {}): Promise<ChatServer> {
    return new ChatServer(await startTestApp(settings));
  }

  get wsUrl(): string {
    return this.test.wsUrl;
  }

  get<T>(type: Type<T> | (abstract new (...args: never[]) => T)): T {
    return this.test.app.get<T>(type, { strict: false });
  }

  connect(user: string, options: ConnectOptions = {}): Promise<ChatClient> {
    return ChatClient.connect(this.wsUrl, { token: this.test.token(user), ...options });
  }

  /** A JWT with any header and claims over the usual ones (`undefined` leaves one out), signed with the server's secret or another. */
  signed(claims: Record<string, unknown>, header: Record<string, unknown> = {}, secret?: string): string {
    const config = this.get(Config);
    const now = Math.floor(Date.now() / 1000);
    const usual = { sub: 'u1', iss: config.jwtIssuer, aud: config.jwtAudience, iat: now, exp: now + 3600, jti: randomUUID() };
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const text = `${encode({ alg: 'HS256', typ: 'JWT', ...header })}.${encode({ ...usual, ...claims })}`;
    return `${text}.${createHmac('sha256', secret ?? config.jwtSecrets[0]!)
      .update(text)
      .digest('base64url')}`;
  }

  /** @param body a string goes as it is, anything else as JSON */
  async http(user: string | null, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    const sent = new Headers(headers);
    if (user !== null) sent.set('authorization', `Bearer ${this.test.token(user)}`);
    if (body !== undefined) sent.set('content-type', 'application/json');
    const payload = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
    const response = await fetch(this.test.url + path, { method, headers: sent, ...payload });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    return { status: response.status, headers: response.headers, text, body: isJson ? (JSON.parse(text) as unknown) : undefined };
  }

  /** Makes a room. @returns its id */
  async room(owner: string, type: 'public' | 'private' | 'direct', members: string[] = []): Promise<string> {
    const { status, body } = await this.http(owner, 'POST', '/v1/rooms', { type, members });
    if (status !== 201) throw new Error(`no room was made: ${JSON.stringify(body)}`);
    return (body as { id: string }).id;
  }

  kick(by: string, room: string, user: string): Promise<HttpAnswer> {
    return this.http(by, 'DELETE', `/v1/rooms/${room}/members/${user}`);
  }

  close(): Promise<void> {
    return this.test.close();
  }
}
