import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { decodeJwt } from 'jose';
import { ASK_EVERY_MS, STALE_MS } from '../../src/auth/provider-keys.js';
import { MAX_TRIALS } from '../../src/auth/provider-tokens.js';
import { keyId } from '../../src/auth/shared-secrets.js';
import { Config } from '../../src/config/config.js';
import { ChatClient, refusedUpgrade } from '../support/chat-client.js';
import { ChatServer } from '../support/chat-server.js';
import { JwksServer, type ProviderKey } from '../support/jwks-server.js';
import type { TestSettings } from '../support/test-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

let database: TestDatabase;
let provider: JwksServer;
let rsa: ProviderKey;
let server: ChatServer;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

const started: ChatServer[] = [];
const start = async (settings: TestSettings = {}) => {
  const one = await ChatServer.start({ ...provider.settings, DATABASE_URL: database.url, ...settings });
  started.push(one);
  return one;
};

beforeEach(async () => {
  provider = await JwksServer.start();
  rsa = await provider.key('rsa-1', 'RS256');
  server = await start();
  await until(() => provider.requests === 1, 'the keys are asked for');
});

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(started.splice(0).map((one) => one.close()));
  await provider.down();
});

interface Me {
  id: string;
  name: string | null;
  roles: string[];
}

async function me(token: string, app = server): Promise<{ status: number; code?: string; me: Me; retryAfter: string | null }> {
  const response = await fetch(`${app.test.url}/v1/me`, { headers: { authorization: `Bearer ${token}` } });
  const body = (await response.json()) as Me & { code?: string };
  return { status: response.status, code: body.code!, me: body, retryAfter: response.headers.get('retry-after') };
}

const outcome = async (token: string, app = server) => {
  const { status, code } = await me(token, app);
  return code ?? status;
};

/** Lets so much time pass for everything that asks for the time. */
let passed = 0;
const real = Date.now.bind(Date);
function pass(ms: number): void {
  passed += ms;
  jest.spyOn(Date, 'now').mockImplementation(() => real() + passed);
}
beforeEach(() => {
  passed = 0;
});

describe('a token of the identity provider', () => {
  it.each(['RS256', 'ES256', 'EdDSA'])('by %s opens REST and the socket', async (alg) => {
    const key = await provider.key(`of-${alg}`, alg);
    pass(ASK_EVERY_MS);
    const token = await provider.token(key, { sub: `user by ${alg}`, name: 'Ada', roles: ['editor'], sid: 'login-1' });
    expect(await me(token)).toMatchObject({ status: 200, me: { id: `user by ${alg}`, name: 'Ada', roles: ['editor'] } });
    const client = await ChatClient.connect(server.wsUrl, { token });
    expect(client.frames[0]!.data).toMatchObject({ userId: `user by ${alg}` });
    await client.close();
  });

  it('lives beside the tokens of this server, or alone with LOCAL_ACCOUNTS=false', async () => {
    const account = { username: 'localuser', password: 'correct horse battery staple' };
    const { status, body } = await server.http(null, 'POST', '/v1/auth/register', account);
    expect(status).toBe(201);
    const { accessToken } = body as { accessToken: string };
    expect(await outcome(accessToken)).toBe(200);
    // A login of the provider's that has the name of one of this server's is not that one.
    const namesake = await provider.token(rsa, { sub: 'namesake', sid: decodeJwt(accessToken)['sid'] });
    await server.http(null, 'POST', '/v1/auth/logout', { refreshToken: (body as { refreshToken: string }).refreshToken });
    expect([await outcome(accessToken), await outcome(namesake)]).toEqual(['unauthenticated', 200]);
    const alone = await start({ LOCAL_ACCOUNTS: 'false' });
    for (const [path, input] of [
      ['register', account],
      ['login', account],
      ['refresh', { refreshToken: (body as { refreshToken: string }).refreshToken }],
      ['login', {}],
    ] as const) {
      const answer = await alone.http(null, 'POST', `/v1/auth/${path}`, input);
      expect([path, answer.status, (answer.body as { code: string }).code]).toEqual([path, 404, 'not_found']);
    }
    expect(await outcome(await provider.token(rsa), alone)).toBe(200);
  });

  it('has its name and roles where the configuration says', async () => {
    const mapped = await start({ AUTH_NAME_CLAIM: 'profile.nick', AUTH_ROLES_CLAIM: 'https://corp.example/roles' });
    const claims = {
      sub: 'mapped',
      name: 'Not this',
      roles: ['not-this'],
      profile: { nick: 'Ada' },
      'https://corp.example/roles': ['admin'],
    };
    expect((await me(await provider.token(rsa, claims), mapped)).me).toMatchObject({ name: 'Ada', roles: ['admin'] });
    const admin = { authorization: `Bearer ${await provider.token(rsa, claims)}`, 'content-type': 'application/json' };
    const notice = { method: 'POST', headers: admin, body: '{"text":"hi","level":"info"}' };
    expect((await fetch(`${mapped.test.url}/v1/admin/notices`, notice)).status).toBe(202);
    expect((await fetch(`${server.test.url}/v1/admin/notices`, notice)).status).toBe(403);
    expect((await me(await provider.token(rsa, { sub: 'unmapped' }), mapped)).me).toMatchObject({ name: null, roles: [] });
    const inherited = await start({ AUTH_NAME_CLAIM: '__proto__.constructor.name', AUTH_ROLES_CLAIM: 'realm_access.roles' });
    const warned = jest.spyOn(Logger.prototype, 'warn');
    expect(await outcome(await provider.token(rsa, { sub: 'odd', realm_access: { roles: { staff: true } } }), inherited)).toBe(
      'unauthenticated',
    );
    expect(warned.mock.calls.map(([about]) => about)).toEqual([{ claim: 'realm_access.roles' }]);
    const deep = { sub: 'deep', realm_access: { roles: ['staff'] } };
    expect((await me(await provider.token(rsa, deep), inherited)).me).toMatchObject({ name: null, roles: ['staff'] });
  });

  it('may say more than is needed, or less', async () => {
    const many = Array.from({ length: 100 }, (_, i) => `group-${i}`);
    const cases: [string, Record<string, unknown>, { name: string | null; roles: string[] }][] = [
      ['null', { name: null, roles: null, jti: null, sid: null }, { name: null, roles: [] }],
      ['an empty name', { name: '' }, { name: null, roles: [] }],
      ['a name that is too long', { name: 'x'.repeat(201) }, { name: 'x'.repeat(200), roles: [] }],
      ['a name that would be cut in a character', { name: `${'x'.repeat(199)}👍` }, { name: 'x'.repeat(199), roles: [] }],
      ['one role', { roles: 'admin' }, { name: null, roles: ['admin'] }],
      ['roles that cannot be', { roles: ['', `admin${'x'.repeat(255)}`, 'a\u0000', 'editor'] }, { name: null, roles: ['editor'] }],
      ['too many roles', { roles: many }, { name: null, roles: many.slice(0, 64) }],
      ['too many roles, admin behind them', { roles: [...many, 'admin'] }, { name: null, roles: [...many.slice(0, 63), 'admin'] }],
      ['too many roles, admin before them', { roles: ['admin', ...many] }, { name: null, roles: ['admin', ...many.slice(0, 63)] }],
      ['a login that is a number', { sid: 7 }, { name: null, roles: [] }],
    ];
    for (const [sub, claims, understood] of cases) {
      const answer = await me(await provider.token(rsa, { sub, ...claims }));
      expect([answer.status, answer.me]).toEqual([200, expect.objectContaining({ id: sub, ...understood })]);
    }
  });

  it('that says what cannot be understood is refused, and the log tells the claim once a minute, never the token', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn');
    const ahead = Math.floor(Date.now() / 1000) + 600;
    const odd = { name: 7, roles: [1], jti: {}, sub: 'x'.repeat(256), iat: ahead, nbf: ahead, aud: 'other', exp: String(ahead) };
    const tokens = await Promise.all(Object.entries(odd).map(([claim, value]) => provider.token(rsa, { [claim]: value })));
    const outcomes = () => Promise.all([...tokens, ...tokens].map((token) => outcome(token)));
    expect(new Set(await outcomes())).toEqual(new Set(['unauthenticated']));
    const told = () => warned.mock.calls.map(([about]) => (about as { claim: string }).claim).sort();
    expect(told()).toEqual(Object.keys(odd).sort());
    for (const token of tokens) expect(JSON.stringify(warned.mock.calls)).not.toContain(token.split('.')[1]);
    pass(60_000);
    await outcomes();
    expect(told()).toHaveLength(2 * tokens.length);
    // What nobody has signed is no news.
    const [head, , signature] = tokens[0]!.split('.');
    await outcome(`${head}.${Buffer.from(JSON.stringify({ sub: 7, iss: provider.issuer })).toString('base64url')}.${signature}`);
    expect(told()).toHaveLength(2 * tokens.length);
  });

  it('is of no backend’s bot and of no guest', async () => {
    for (const sub of ['bot:0199c3a1-6f0e-7c7e-9d0c-3f1f5f0e8a11', 'guest:x']) {
      const token = await provider.token(rsa, { sub, parley: { at: 1 } });
      expect((await me(token)).me).toMatchObject({ code: 'unauthenticated', message: expect.stringContaining('bot:… and guest:…') });
      expect((await refusedUpgrade(server.wsUrl, { token })).status).toBe(401);
    }
  });

  it('is revoked by its issuer and jti together', async () => {
    const ofBackend = server.signed({ jti: '1' });
    const ofProvider = await provider.token(rsa, { jti: 1 });
    const both = () => Promise.all([outcome(ofBackend), outcome(ofProvider)]);
    const revoke = async (token: string) => expect((await server.http(null, 'POST', '/v1/auth/revoke', { token })).status).toBe(204);
    expect(await both()).toEqual([200, 200]);
    await revoke(ofBackend);
    expect(await both()).toEqual(['unauthenticated', 200]);
    await revoke(ofProvider);
    expect(await both()).toEqual(['unauthenticated', 'unauthenticated']);
  });

  it('line 10: signed by HS256 with the public key is refused', async () => {
    for (const secret of [await provider.pem(rsa), (await provider.pem(rsa)).trim()]) {
      for (const iss of [provider.issuer, 'parley'])
        expect(await outcome(server.signed({ iss, aud: [provider.audience, 'parley'] }, { kid: rsa.kid }, secret))).toBe('unauthenticated');
    }
  });

  it('line 11: the algorithm is the configuration’s, whatever the header says and the provider has', async () => {
    const pss = await provider.key('pss', 'PS256');
    pass(ASK_EVERY_MS);
    expect(await outcome(await provider.token(pss))).toBe('unauthenticated');
    // Signed by the key of one algorithm under the name of another key.
    const ec = await provider.key('ec', 'ES256');
    pass(ASK_EVERY_MS);
    expect(await outcome(await provider.token(ec, {}, { kid: rsa.kid }))).toBe('unauthenticated');
    const strict = await start({ AUTH_JWKS_ALGORITHMS: 'ES256' });
    expect(await outcome(await provider.token(rsa), strict)).toBe('unauthenticated');
    expect(await outcome(await provider.token(ec), strict)).toBe(200);
  });

  it('line 12: a kid is a name among the provider’s keys, and where a header says that keys lie is never asked', async () => {
    const elsewhere = await JwksServer.start();
    const stranger = await elsewhere.key('rsa-1', 'RS256');
    const own = await provider.token(stranger, {}, { jku: elsewhere.url, x5u: elsewhere.url });
    expect(await outcome(own)).toBe('unauthenticated');
    const asked = provider.requests;
    // Made before the provider was asked last.
    const iat = Math.floor(Date.now() / 1000) - 60;
    const kids = ['../x', '../../keys', "' OR '1'='1", '__proto__', 'constructor', '', elsewhere.url, 0, null, {}, ['rsa-1']];
    for (const kid of kids) {
      const token = await provider.token(rsa, { iat }).then((text) => withHeader(text, { alg: 'RS256', kid }));
      expect([kid, await outcome(token)]).toEqual([kid, 'unauthenticated']);
      expect([kid, await outcome(await provider.token(stranger, { iat }, { kid: JSON.stringify(kid), jku: elsewhere.url }))]).toEqual([
        kid,
        'unauthenticated',
      ]);
    }
    expect(await outcome(await provider.token(rsa, {}, { jku: elsewhere.url, x5u: elsewhere.url }))).toBe(200);
    expect([elsewhere.requests, provider.requests]).toEqual([0, asked]);
    await elsewhere.down();
  });

  it('line 13: wrong or missing iss, aud and exp, and a future nbf, are refused', async () => {
    const now = Math.floor(Date.now() / 1000);
    const wrong: Record<string, unknown>[] = [
      { iss: undefined },
      { iss: 'parley' },
      { iss: `${provider.issuer}/` },
      { aud: undefined },
      { aud: 'parley' },
      { aud: [] },
      { exp: undefined },
      { exp: now - 1 },
      { exp: String(now + 60) },
      { nbf: now + 60 },
      { sub: undefined },
      { sub: '' },
    ];
    for (const claims of wrong) expect([claims, await outcome(await provider.token(rsa, claims))]).toEqual([claims, 'unauthenticated']);
  });

  it('is not one of this server, nor the other way round', async () => {
    expect(await outcome(await provider.token(rsa, { iss: 'parley', aud: 'parley' }))).toBe('unauthenticated');
    expect(await outcome(server.signed({ iss: provider.issuer, aud: provider.audience }))).toBe('unauthenticated');
    expect(await outcome(server.signed({}, { kid: keyId(server.get(Config).jwtSecrets[0]!) }))).toBe(200);
  });

  it('needs its own signature', async () => {
    const text = await provider.token(rsa);
    const parts = text.split('.');
    for (const token of [`${parts[0]}.${parts[1]}.`, `${parts[0]}.${parts[1]}.${'A'.repeat(342)}`, `${parts[0]}..${parts[2]}`])
      expect(await outcome(token)).toBe('unauthenticated');
  });
});

describe('rotation', () => {
  it('line 15: a new key counts as soon as a token names it, an old one until it is withdrawn', async () => {
    const next = await provider.key('rsa-2', 'RS256', { isPublished: false });
    const [old, fresh] = [await provider.token(rsa), await provider.token(next)];
    pass(ASK_EVERY_MS);
    expect([await outcome(old), await outcome(fresh)]).toEqual([200, 'unauthenticated']);
    await provider.publish(next);
    pass(ASK_EVERY_MS);
    expect([await outcome(fresh), await outcome(old)]).toEqual([200, 200]);
    provider.withdraw(rsa.kid);
    // Nothing asks for a key that is known, until the keys are stale; the request that finds them so is not made to wait.
    expect(await outcome(old)).toBe(200);
    pass(STALE_MS + 1);
    expect(await outcome(old)).toBe(200);
    await until(async () => (await outcome(old)) === 'unauthenticated', 'the old key no longer counts');
    expect(await outcome(fresh)).toBe(200);
  });

  it('is learned of while no token comes: a key that was withdrawn opens nothing after five quiet minutes', async () => {
    const timers = jest.spyOn(globalThis, 'setInterval');
    const quiet = await start();
    const ticks = timers.mock.calls.filter(([, ms]) => ms === STALE_MS).map(([tick]) => tick);
    expect(await outcome(await provider.token(rsa), quiet)).toBe(200);
    await provider.key('ec-1', 'ES256');
    provider.withdraw(rsa.kid);
    pass(STALE_MS);
    const asked = provider.requests;
    for (const tick of ticks) tick();
    await until(() => provider.requests === asked + 1, 'the provider is asked');
    const token = await provider.token(rsa);
    await until(async () => (await refusedUpgrade(quiet.wsUrl, { token }).catch(() => null))?.status === 401, 'the key opens nothing');
    expect(provider.requests).toBe(asked + 1);
  });

  it('of a provider that names no keys: each of the algorithm is tried, new ones as soon as they are published', async () => {
    const nameless = (key: ProviderKey) => provider.token(key, {}, { kid: undefined });
    const next = await provider.key('rsa-2', 'RS256');
    pass(ASK_EVERY_MS);
    expect(await outcome(await nameless(next))).toBe(200);
    expect([await outcome(await nameless(rsa)), await outcome(await nameless(next))]).toEqual([200, 200]);
    const asked = provider.requests;
    const stranger = await provider.key('stranger', 'RS256', { isPublished: false });
    const answers = await Promise.all(Array.from({ length: 20 }, async () => outcome(await nameless(stranger))));
    expect([new Set(answers), provider.requests]).toEqual([new Set(['unauthenticated']), asked]);
    const others: ProviderKey[] = [];
    for (let i = 0; i <= MAX_TRIALS; i++) others.push(await provider.key(`ec-${i}`, 'ES256'));
    pass(ASK_EVERY_MS);
    const last = others.pop()!;
    expect(await outcome(await provider.token(last))).toBe(200);
    expect([await outcome(await nameless(others.pop()!)), await outcome(await nameless(last))]).toEqual([200, 'unauthenticated']);
  });

  it('asks at a bounded rate, however many tokens name keys that there are not', async () => {
    pass(ASK_EVERY_MS);
    const before = provider.requests;
    const tokens = await Promise.all(Array.from({ length: 40 }, (_, i) => provider.token(rsa, {}, { kid: `none-${i}` })));
    expect(new Set(await Promise.all(tokens.map((token) => outcome(token))))).toEqual(new Set(['unauthenticated']));
    expect(provider.requests).toBe(before + 1);
    expect(await outcome(tokens[0]!)).toBe('unauthenticated');
    expect(provider.requests).toBe(before + 1);
    pass(ASK_EVERY_MS);
    expect(await outcome(tokens[0]!)).toBe('unauthenticated');
    expect(provider.requests).toBe(before + 2);
  });

  it('right behind a key of fancy is not held against the new key: its tokens are to be tried again when the provider may be asked', async () => {
    const next = await provider.key('ec-1', 'ES256', { isPublished: false });
    const from = (Math.ceil(Date.now() / 1000) + ASK_EVERY_MS / 1000) * 1000;
    const at = (ms: number) => jest.spyOn(Date, 'now').mockReturnValue(from + ms);
    const now = () => Math.floor(Date.now() / 1000);
    const fancy = (iat: unknown) => provider.token(rsa, { iat }, { kid: 'fancy' });
    at(0);
    expect(await outcome(await fancy(now()))).toBe('unauthenticated');
    await provider.publish(next);
    at(2_000);
    const fresh = await provider.token(next);
    expect(await me(fresh)).toMatchObject({ status: 503, code: 'unavailable', retryAfter: '8' });
    // What was made before, or cannot have been made, is refused as ever, and so is a forgery by a key that is known.
    for (const iat of [now() - 60, now() + 60, 'now', undefined])
      expect([iat, await outcome(await fancy(iat))]).toEqual([iat, 'unauthenticated']);
    const stranger = await provider.key('rsa-2', 'RS256', { isPublished: false });
    expect(await outcome(await provider.token(stranger, {}, { kid: rsa.kid }))).toBe('unauthenticated');
    at(10_000);
    expect(await outcome(fresh)).toBe(200);
  });

  it('does not ask for a token of another issuer', async () => {
    pass(ASK_EVERY_MS);
    const before = provider.requests;
    expect(await outcome(await provider.token(rsa, { iss: 'https://evil.example' }, { kid: 'none' }))).toBe('unauthenticated');
    expect(provider.requests).toBe(before);
  });
});

const CONDUCTS = [
  'fails',
  'drips',
  'never ends',
  'talks nonsense',
  'redirects',
  'shows no key',
  'shows no key set',
  'shows no key to use',
  'shows too many keys',
] as const;

describe('a provider that', () => {
  it('does not answer, or with nothing to use: keys that are known go on, others are unavailable', async () => {
    const warned = jest.spyOn(Logger.prototype, 'warn');
    // More time passes than the usual token lives.
    const exp = Math.floor(Date.now() / 1000) + 86_400;
    const known = await provider.token(rsa, { exp });
    for (const conduct of CONDUCTS) {
      const unknown = await provider.token(await provider.key(conduct, 'ES256'), { exp });
      const asked = provider.requests;
      warned.mockClear();
      provider.conduct = conduct;
      pass(STALE_MS + 1);
      expect([conduct, await outcome(known)]).toEqual([conduct, 200]);
      const answers = await Promise.all([1, 2, 3].map(() => me(unknown)));
      for (const { status, code, retryAfter } of answers)
        expect([conduct, status, code, Number(retryAfter) > 0]).toEqual([conduct, 503, 'unavailable', true]);
      expect((await refusedUpgrade(server.wsUrl, { token: unknown })).status).toBe(503);
      expect([conduct, await outcome(known), provider.requests]).toEqual([conduct, 200, asked + 1]);
      expect(warned.mock.calls.map(([, words]) => words as string)).toEqual([expect.stringContaining('those that it gave last are kept')]);
      expect(provider.bytesWritten).toBeLessThan(32_000_000);
      provider.conduct = 'answers';
      pass(ASK_EVERY_MS);
      expect([conduct, await outcome(unknown)]).toEqual([conduct, 200]);
    }
  });

  it('is down when the server starts: it starts, and takes tokens once the provider is up', async () => {
    await provider.down();
    const early = await start();
    const token = await provider.token(rsa);
    expect(await outcome(token, early)).toBe('unavailable');
    expect(await outcome(early.signed({}), early)).toBe(200);
    await provider.up();
    provider.conduct = 'shows no key';
    pass(ASK_EVERY_MS);
    expect(await outcome(token, early)).toBe('unavailable');
    provider.conduct = 'answers';
    pass(ASK_EVERY_MS);
    expect(await outcome(token, early)).toBe(200);
  });
});

function withHeader(token: string, header: object): string {
  const [, ...rest] = token.split('.');
  return [Buffer.from(JSON.stringify(header)).toString('base64url'), ...rest].join('.');
}
