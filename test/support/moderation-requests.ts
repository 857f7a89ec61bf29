import { expect } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { ChatServer, HttpAnswer } from './chat-server.js';

/** Of a user who has done nothing yet. */
export const name = () => `u-${randomUUID().slice(0, 8)}`;

/** What users, moderators and the administrator `root` ask of a server. */
export class ModerationRequests {
  constructor(private readonly server: ChatServer) {}

  /** @returns the body; fails on another status */
  async ask(user: string, method: string, path: string, status: number, body?: object): Promise<HttpAnswer['body']> {
    const { test } = this.server;
    const token = user === 'root' ? test.token('root', { roles: ['admin'] }) : test.token(user);
    const answer = await this.server.http(null, method, `/v1${path}`, body, { authorization: `Bearer ${token}` });
    expect([method, path, answer.status, answer.body]).toEqual([method, path, status, answer.body]);
    return answer.body as unknown;
  }

  /** @returns the message's seq */
  async send(user: string, room: string, text: string): Promise<number> {
    const key = { 'idempotency-key': randomUUID() };
    const { status, body } = await this.server.http(user, 'POST', `/v1/rooms/${room}/messages`, { text }, key);
    expect(status).toBe(201);
    return (body as { seq: number }).seq;
  }
}
