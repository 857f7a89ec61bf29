import { expect } from '@jest/globals';
import { type ChatClient, type CommandError, refusedUpgrade } from './chat-client.js';
import type { ChatServer, HttpAnswer } from './chat-server.js';

/** Settings with which `LIMITED` can be used up. */
export const SMALL_LIMITS = {
  LIMITS: 'on',
  LIMIT_COMMANDS: '1/100',
  LIMIT_JOINS: '1/50',
  LIMIT_HANDSHAKES: '1/50',
  LIMIT_REQUESTS_PER_ADDRESS: '1/50',
  LIMIT_SENDS_PER_ROOM: '1/50',
};
/** Of all but commands. */
export const BURST = 50;

/** The headers that a trusted proxy would add for a client of this address. */
export const forwardedFor = (address: string) => ({ 'x-forwarded-for': address });

/** @returns 0 when the command was done, else how long to wait, as the refusal says */
export async function waitOf(command: Promise<unknown>): Promise<number> {
  const refusal = await command.then(
    () => null,
    (error: CommandError) => error.data,
  );
  if (refusal === null) return 0;
  expect(refusal).toMatchObject({ code: 'rate_limited', retryable: true, retryAfterMs: expect.any(Number) });
  return refusal['retryAfterMs'] as number;
}

/** The answer says which limit refused, that nothing is left of it, and in three places the same time to come back. */
export function expectRefusal(answer: Pick<HttpAnswer, 'status' | 'headers' | 'body'>, limit: string, policy: string): void {
  const { status, headers } = answer;
  const { code, retryAfterMs } = answer.body as { code: string; retryAfterMs: number };
  const seconds = String(Math.ceil(retryAfterMs / 1000));
  const told = ['ratelimit-policy', 'ratelimit', 'retry-after'].map((name) => headers.get(name));
  expect([status, code, ...told]).toEqual([429, 'rate_limited', `"${limit}";${policy}`, `"${limit}";r=0;t=${seconds}`, seconds]);
}

interface Limited {
  /** Where Redis counts it. */
  key: string;
  /** One a server: does one thing that counts there. Returns as `waitOf` does. */
  acts: (() => Promise<number>)[];
  clients: ChatClient[];
}

async function overSockets(servers: ChatServer[], key: string, users: string[], event: string, data: () => object): Promise<Limited> {
  const clients = await Promise.all(servers.map((server, i) => server.connect(users[i]!)));
  return { key, clients, acts: clients.map((client) => () => waitOf(client.command(event, data()))) };
}

/** A handshake that nobody would be let in by. */
export async function handshake(server: ChatServer, address: string): Promise<number> {
  const { status, body, headers } = await refusedUpgrade(server.wsUrl, { token: 'none', headers: forwardedFor(address) });
  if (status === 401) return 0;
  expectRefusal({ status, body, headers: new Headers(headers as Record<string, string>) }, 'handshakes', 'q=50;w=50');
  return body.retryAfterMs!;
}

/** A request with a token that nobody signed. */
async function request(server: ChatServer, address: string): Promise<number> {
  const { status, body, headers } = await server.http(null, 'GET', '/v1/me', undefined, {
    ...forwardedFor(address),
    authorization: 'Bearer none',
  });
  if (status === 429) expectRefusal({ status, body, headers }, 'address', 'q=50;w=50');
  else {
    const told = [headers.get('ratelimit-policy'), headers.get('ratelimit')];
    expect([status, ...told]).toEqual([401, '"address";q=50;w=50', expect.stringMatching(/^"address";r=\d+;t=\d+$/)]);
  }
  return status === 429 ? (body.retryAfterMs as number) : 0;
}

let sent = 0;
/** What is limited over all instances, and how it is used up over real connections of three servers that have `SMALL_LIMITS` and trust loopback as a proxy. */
export const LIMITED: { of: string; burst: number; start: (servers: ChatServer[]) => Promise<Limited> }[] = [
  {
    of: 'a user',
    burst: 100,
    start: (servers) => overSockets(servers, 'commands:greedy', ['greedy', 'greedy', 'greedy'], 'ping', () => ({})),
  },
  {
    of: 'a room',
    burst: BURST,
    start: async (servers) => {
      const users = ['talker0', 'talker1', 'talker2'];
      const room = await servers[0]!.room('host', 'private', users);
      return overSockets(servers, `sends:${room}`, users, 'message.send', () => ({ room, clientId: `${++sent}`, text: 'x' }));
    },
  },
  {
    of: 'joins of a user',
    burst: BURST,
    start: async (servers) => {
      const room = await servers[0]!.room('host', 'public');
      return overSockets(servers, 'joins:joiner', ['joiner', 'joiner', 'joiner'], 'room.join', () => ({ room }));
    },
  },
  {
    of: 'handshakes of an address',
    burst: BURST,
    start: (servers) => byAddress(servers, 'handshakes', '203.0.113.1', handshake),
  },
  {
    of: 'requests of an address, with a token that does not count,',
    burst: BURST,
    start: (servers) => byAddress(servers, 'requests', '203.0.113.2', request),
  },
];

function byAddress(servers: ChatServer[], limit: string, address: string, act: typeof handshake): Promise<Limited> {
  return Promise.resolve({ key: `${limit}:${address}`, acts: servers.map((server) => () => act(server, address)), clients: [] });
}
