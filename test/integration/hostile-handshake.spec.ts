import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { WebSocket } from 'ws';
import { Authenticator } from '../../src/auth/authenticator.js';
import { keyId } from '../../src/auth/shared-secrets.js';
import { Config } from '../../src/config/config.js';
import { Sql } from '../../src/database/sql.js';
import { Hub } from '../../src/realtime/hub.js';
import { ChatClient, refusedUpgrade } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { RawSocket } from '../support/raw-socket.js';
import { until } from '../support/until.js';

let server: ChatServer;
beforeAll(async () => {
  server = await ChatServer.start();
});
afterAll(() => server.close());

/** The server is there and lets in who may. */
async function assertAlive(on = server): Promise<void> {
  const client = await on.connect('prober');
  expect(await client.command('ping')).toEqual({ serverTime: expect.any(String) });
  await client.close();
}

const refusal = async (token: string) => {
  const { status, body } = await refusedUpgrade(server.wsUrl, { token });
  return [status, body.code];
};

describe('Origin', () => {
  it('line 1: only the very Origins on the list pass, and requests without one', async () => {
    const strict = await ChatServer.start({ ALLOWED_ORIGINS: 'https://chat.example.com,https://two.example.com:8443' });
    const token = strict.test.token('u1');
    const open = (origin: string) => ChatClient.connect(strict.wsUrl, { token, headers: { origin } });
    for (const origin of ['https://chat.example.com', 'https://two.example.com:8443']) await (await open(origin)).close();
    await (await strict.connect('u1')).close();
    const others = [
      'https://chat.example.com.evil.org',
      'https://evilchat.example.com',
      'https://a.chat.example.com',
      'https://example.com',
      'http://chat.example.com',
      'https://chat.example.com:8443',
      'https://two.example.com',
      'https://chat.example.com/',
      'https://chat.example.com@evil.org',
      'https://chat.example.com, https://evil.org',
      'https://CHAT.example.com',
      'null',
      'file://',
      strict.test.url,
    ];
    for (const origin of others) {
      const { status, body } = await refusedUpgrade(strict.wsUrl, { token, headers: { origin } });
      expect([origin, status, body.code]).toEqual([origin, 403, 'forbidden']);
    }
    await strict.close();
  });

  it("line 1: without a list it is the server's own host name", async () => {
    const token = server.test.token('u1');
    const own = await ChatClient.connect(server.wsUrl, { token, headers: { origin: 'http://127.0.0.1:5173' } });
    await own.close();
    for (const origin of ['https://evil.org', 'http://127.0.0.1.evil.org', 'http://localhost', 'null', 'file://', '']) {
      expect((await refusedUpgrade(server.wsUrl, { token, headers: { origin } })).status).toBe(403);
    }
  });
});

describe('the request', () => {
  it('line 2: a reset while the user is being authenticated leaves the process alive, and no session', async () => {
    const authenticator = server.get(Authenticator);
    const real = authenticator.authenticateUpgrade.bind(authenticator);
    let letGo = () => {};
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    const held = jest.spyOn(authenticator, 'authenticateUpgrade').mockImplementation(async (request) => {
      await gate;
      return real(request);
    });
    const headers = { Authorization: `Bearer ${server.test.token('reset')}` };
    const sockets = await Promise.all(Array.from({ length: 20 }, () => RawSocket.begin(server.wsUrl, headers)));
    await until(() => held.mock.calls.length === 20, 'all are being authenticated');
    sockets.forEach(({ socket }, index) => (index % 2 === 0 ? socket.resetAndDestroy() : socket.destroy()));
    const seen = held.mock.calls.map(([request]) => request.socket);
    await until(() => seen.every(({ destroyed, readableEnded }) => destroyed || readableEnded), 'the server saw the resets');
    letGo();
    held.mockRestore();
    await assertAlive();
    await until(() => server.get(Hub).ofUser('reset').size === 0, 'no session is left');
  });

  it('line 6: permessage-deflate is not negotiated', async () => {
    const socket = new WebSocket(server.wsUrl, {
      headers: { authorization: `Bearer ${server.test.token('u1')}` },
      perMessageDeflate: true,
    });
    const upgraded = once(socket, 'upgrade') as Promise<[{ headers: Record<string, string> }]>;
    await once(socket, 'open');
    const [response] = await upgraded;
    expect(response.headers['sec-websocket-extensions']).toBeUndefined();
    expect(socket.extensions).toBe('');
    socket.terminate();
  });

  it('line 7: 1,000 headers are refused, and the server is alive', async () => {
    const authorization = `Bearer ${server.test.token('u1')}`;
    const small = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`h${index}`, '1']));
    const { status, body } = await refusedUpgrade(server.wsUrl, { headers: { ...small, authorization } });
    expect([status, body.code]).toEqual([400, 'validation_failed']);
    expect((await server.http('u1', 'GET', '/v1/me', undefined, small)).status).toBe(400);
    const large = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`X-Header-${index}`, 'x'.repeat(100)]));
    const raw = await RawSocket.begin(server.wsUrl, { ...large, Authorization: authorization });
    await raw.closed;
    expect(raw.head).toMatch(/^HTTP\/1\.1 4\d\d|^$/);
    await assertAlive();
  });

  it('is refused on another path, by another method, and without credentials', async () => {
    const token = server.test.token('u1');
    for (const path of ['/', '/wss', '/ws/', '/ws/x', '//ws', '/%77s']) {
      expect((await refusedUpgrade(server.wsUrl.replace(/\/ws$/, path), { token })).status).toBe(404);
    }
    expect((await refusedUpgrade(server.wsUrl)).status).toBe(401);
    for (const target of ['http://[', '//', '/ws?%', '\\']) {
      const odd = await rawRequest(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
      expect(odd).toMatch(/^HTTP\/1\.1 4\d\d /);
    }
    await assertAlive();
  });
});

describe('tickets', () => {
  const ticketOf = async (user: string) => {
    const { status, body } = await server.http(user, 'POST', '/v1/auth/tickets');
    expect(status).toBe(201);
    return (body as { ticket: string }).ticket;
  };

  it('is not used up by a handshake that is none, which is refused in JSON', async () => {
    const url = `${server.wsUrl}?ticket=${await ticketOf('clumsy')}`;
    const wrong = { 'Sec-WebSocket-Key': 'short', 'Sec-WebSocket-Version': '7', 'Sec-WebSocket-Protocol': 'a,,b' };
    for (const [name, value] of Object.entries(wrong)) {
      const raw = await RawSocket.begin(url, { [name]: value });
      await raw.closed;
      expect(raw.head).toMatch(/^HTTP\/1\.1 400 [^]*application\/json/);
    }
    await (await ChatClient.connect(url)).close();
  });

  it('line 8: a ticket opens one socket, of many at once too', async () => {
    const url = `${server.wsUrl}?ticket=${await ticketOf('ticketed')}`;
    const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => ChatClient.connect(url)));
    const opened = attempts.filter((attempt) => attempt.status === 'fulfilled');
    expect(opened).toHaveLength(1);
    const client = opened[0]!.value;
    expect(client.frames[0]!.data).toMatchObject({ userId: 'ticketed' });
    expect((await refusedUpgrade(url)).status).toBe(401);
    await client.close();
  });

  it('line 8: a ticket does not open a socket after 30 s', async () => {
    const ticket = await ticketOf('late');
    const age = { name: 'hostile_age_tickets', text: `UPDATE tickets SET expires_at = expires_at - interval '30 seconds'` };
    await server.get(Sql).query(age, []);
    const { status, body } = await refusedUpgrade(`${server.wsUrl}?ticket=${ticket}`);
    expect([status, body.code]).toEqual([401, 'unauthenticated']);
  });
});

describe('tokens', () => {
  it('line 12: a kid that is not the key is refused, whatever it says', async () => {
    const good = keyId(server.get(Config).jwtSecrets[0]!);
    await (await ChatClient.connect(server.wsUrl, { token: server.signed({}, { kid: good }) })).close();
    const kids = [
      '../x',
      '../../../dev/null',
      "' OR '1'='1",
      "x' UNION SELECT 'secret",
      '__proto__',
      'constructor',
      '',
      0,
      null,
      {},
      [good],
      `${good} `,
    ];
    for (const kid of kids) expect([kid, ...(await refusal(server.signed({}, { kid })))]).toEqual([kid, 401, 'unauthenticated']);
  });

  it('line 12: jku, x5u and jwk are not followed', async () => {
    let requests = 0;
    const listener = createServer((_, response) => {
      requests++;
      response.end('{"keys":[]}');
    });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/keys`;
    const attacker = 'a-secret-that-the-attacker-has-chosen-0123456789';
    const jwk = { kty: 'oct', k: Buffer.from(attacker).toString('base64url'), alg: 'HS256' };
    for (const header of [{ jku: url }, { x5u: url }, { jwk }, { x5c: ['MIIB'] }]) {
      expect(await refusal(server.signed({}, header, attacker))).toEqual([401, 'unauthenticated']);
      // Ignored, not refused, in a token that is good by itself.
      await (await ChatClient.connect(server.wsUrl, { token: server.signed({}, header) })).close();
    }
    expect(requests).toBe(0);
    listener.close();
  });

  it('lines 9 and 10: no algorithm but the configured one', async () => {
    const [head, claims] = server.signed({}, { alg: 'none' }).split('.');
    expect(await refusal(`${head}.${claims}.`)).toEqual([401, 'unauthenticated']);
    for (const alg of ['none', 'None', 'HS384', 'HS512', 'RS256', 'ES256', '', null, ['HS256']]) {
      expect([alg, ...(await refusal(server.signed({}, { alg })))]).toEqual([alg, 401, 'unauthenticated']);
    }
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    expect(await refusal(server.signed({}, {}, pem))).toEqual([401, 'unauthenticated']);
  });

  it('line 13: wrong or missing iss, aud, exp, and a future nbf, are refused', async () => {
    const now = Math.floor(Date.now() / 1000);
    const wrong: Record<string, unknown>[] = [
      { iss: undefined },
      { iss: 'evil' },
      { iss: ['parley'] },
      { aud: undefined },
      { aud: 'other' },
      { aud: [] },
      { exp: undefined },
      { exp: now - 1 },
      { exp: now },
      { exp: 0 },
      { exp: String(now + 60) },
      { exp: null },
      { nbf: now + 60 },
      { sub: undefined },
      { sub: '' },
      { sub: 7 },
      { sub: 'a\u0000b' },
      { sub: 'x'.repeat(256) },
    ];
    for (const claims of wrong) expect([claims, ...(await refusal(server.signed(claims)))]).toEqual([claims, 401, 'unauthenticated']);
    await (await ChatClient.connect(server.wsUrl, { token: server.signed({ aud: ['other', 'parley'], nbf: now }) })).close();
  });

  it('line 13: a refresh token is no access token, nor are bytes', async () => {
    const account = { username: 'refresher', password: 'correct horse battery staple' };
    const { body } = await server.http(null, 'POST', '/v1/auth/register', account);
    const { accessToken, refreshToken } = body as { accessToken: string; refreshToken: string };
    await (await ChatClient.connect(server.wsUrl, { token: accessToken })).close();
    expect(await refusal(refreshToken)).toEqual([401, 'unauthenticated']);
    const [head, claims] = accessToken.split('.') as [string, string];
    const forged = createHmac('sha256', 'x'.repeat(40)).update(`${head}.${claims}`).digest('base64url');
    for (const token of [`${head}.${claims}`, `${head}.${claims}.`, `${head}.${claims}.${forged}`, '..', '.', 'x'.repeat(12_000)]) {
      expect(await refusal(token)).toEqual([401, 'unauthenticated']);
    }
  });
});

describe('secrets', () => {
  it('line 5: no refusal repeats a token, a ticket or a password', async () => {
    const secret = 'tell-nobody-of-this';
    const badToken = server.signed({ name: secret }, {}, 'another-secret-0123456789-abcdefghijklmnop');
    const signature = badToken.split('.')[2]!;
    const url = server.wsUrl;
    const refused = [
      await refusedUpgrade(url, { token: badToken }),
      await refusedUpgrade(`${url}?access_token=${badToken}`),
      await refusedUpgrade(`${url}?ticket=${secret}`),
      await refusedUpgrade(`${url}?ticket=${secret}&ticket=${secret}`),
      await refusedUpgrade(`${url}/${secret}?access_token=${badToken}`),
      await server.http(null, 'GET', `/v1/me?access_token=${badToken}`, undefined, { authorization: `Bearer ${badToken}` }),
      await server.http(null, 'GET', `/nowhere?ticket=${secret}`),
      await server.http(null, 'POST', '/v1/auth/refresh', { refreshToken: secret }),
      await server.http(null, 'POST', '/v1/auth/refresh', { refreshToken: [secret] }),
      await server.http(null, 'POST', '/v1/auth/login', { username: 'nobody', password: secret }),
      await server.http(null, 'POST', '/v1/auth/register', { username: 'x', password: secret }),
      await server.http(null, 'POST', '/v1/auth/login', `{"password":"${secret}`),
    ];
    for (const { status, body } of refused) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(JSON.stringify(body)).not.toMatch(new RegExp(`${secret}|${signature}`));
    }
    const client = await server.connect('u1');
    for (const data of [{ token: badToken }, { token: secret }, { token: [secret] }]) {
      const error = (await client.command('auth.refresh', data).catch((thrown: unknown) => thrown)) as { data: object };
      expect(JSON.stringify(error.data)).toContain('code');
      expect(JSON.stringify(error.data)).not.toMatch(new RegExp(`${secret}|${signature}`));
    }
    await client.close();
  });
});

async function rawRequest(text: string): Promise<string> {
  const socket = connect(Number(new URL(server.wsUrl).port), '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return answer;
}
