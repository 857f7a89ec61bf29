import { describe, expect, it } from '@jest/globals';
import { JwtService } from '@nestjs/jwt';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { Config } from '../config/config.js';
import { loadSettings } from '../config/settings.js';
import { keyId } from './shared-secrets.js';
import { TokenService } from './tokens.service.js';

const SECRET = 'correct-horse-battery-staple-0123456789';
const configOf = (jwtSecrets: string[]) => new Config(loadSettings({}), { databaseUrl: 'postgres://unused', jwtSecrets });
const tokens = new TokenService(new JwtService({}), configOf([SECRET]));
const now = () => Math.floor(Date.now() / 1000);
const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');

/** A token as another program makes it; a claim or header of `undefined` is left out. */
function token(claims: object = {}, header: object = {}, key: string | Buffer = SECRET, digest = 'sha256'): string {
  const head = encode({ alg: 'HS256', typ: 'JWT', ...header });
  const body = encode({ sub: 'u7', iss: 'parley', aud: 'parley', exp: now() + 60, ...claims });
  return `${head}.${body}.${createHmac(digest, key).update(`${head}.${body}`).digest('base64url')}`;
}

const outcome = async (text: string) => {
  try {
    return await tokens.verify(text);
  } catch (error) {
    return (error as { code?: string }).code ?? error;
  }
};

describe('TokenService', () => {
  it('verifies what it signs', async () => {
    const signedAt = now() + 0.123456;
    const signed = await tokens.sign({ sub: 'u7', sid: 's1', name: 'Ada', roles: ['admin'], signedAt });
    const header = JSON.parse(Buffer.from(signed.split('.')[0]!, 'base64url').toString()) as object;
    expect(header).toEqual({ alg: 'HS256', typ: 'JWT', kid: keyId(SECRET) });
    const principal = await tokens.verify(signed);
    expect(principal).toMatchObject({ userId: 'u7', name: 'Ada', roles: ['admin'], sessionId: 's1', tokenId: expect.any(String) });
    expect(principal.issuedAt).toBe(signedAt);
    expect(Math.abs(principal.expiresAt - Date.now() - 900_000)).toBeLessThan(10_000);
  });

  it('takes the token of another program that has the secret', async () => {
    const exp = now() + 60;
    expect(await tokens.verify(token({ exp, aud: ['other', 'parley'] }))).toEqual({
      userId: 'u7',
      name: null,
      roles: [],
      sessionId: null,
      issuer: 'parley',
      tokenId: null,
      issuedAt: 0,
      expiresAt: exp * 1000,
    });
  });

  it('takes any text as sub, up to 255 UTF-16 units', async () => {
    for (const sub of ['a', 'auth0|5f7c', '👍', "'; DROP TABLE users; --", '__proto__', 'x'.repeat(255)]) {
      expect(await outcome(token({ sub }))).toMatchObject({ userId: sub });
    }
  });

  const bad: [string, () => string][] = [
    ['nothing', () => ''],
    ['no JWT', () => 'abc'],
    ['four parts', () => `${token()}.x`],
    ['alg none, unsigned', () => `${encode({ alg: 'none' })}.${token().split('.')[1]}.`],
    ['alg NONE with a signature', () => token({}, { alg: 'NONE' })],
    ['HS256 by the RSA public key', () => token({}, {}, rsaPublicKey())],
    ['HS512 by the secret', () => token({}, { alg: 'HS512' }, SECRET, 'sha512')],
    ['RS256 by the secret', () => token({}, { alg: 'RS256' })],
    ['no alg', () => token({}, { alg: undefined })],
    ['another secret', () => token({}, {}, 'x'.repeat(40))],
    ['changed claims', () => tampered(token())],
    ['no signature', () => token().replace(/[^.]+$/, '')],
    ['kid ../x', () => token({}, { kid: '../x' })],
    ['kid of SQL', () => token({}, { kid: "' OR 1=1 --" })],
    ['kid __proto__', () => token({}, { kid: '__proto__' })],
    ['kid null', () => token({}, { kid: null })],
    ['crit', () => token({}, { crit: ['exp'] })],
    ['b64 false', () => token({}, { crit: ['b64'], b64: false })],
    ['a header that is an array', () => `${encode([])}.${encode({})}.x`],
    ['wrong iss', () => token({ iss: 'other' })],
    ['no iss', () => token({ iss: undefined })],
    ['wrong aud', () => token({ aud: 'other' })],
    ['no aud', () => token({ aud: undefined })],
    ['no exp', () => token({ exp: undefined })],
    ['exp of text', () => token({ exp: String(now() + 60) })],
    ['expired', () => token({ exp: now() - 60 })],
    ['expired a second ago', () => token({ exp: now() - 1 })],
    ['not yet valid', () => token({ nbf: now() + 60 })],
    ['nbf of text', () => token({ nbf: 'soon' })],
    ['no sub', () => token({ sub: undefined })],
    ['empty sub', () => token({ sub: '' })],
    ['sub of a number', () => token({ sub: 7 })],
    ['sub too long', () => token({ sub: 'x'.repeat(256) })],
    ['sub with U+0000', () => token({ sub: 'a\u0000b' })],
    ['sub with a lone surrogate', () => token({ sub: 'a\ud800' })],
    ['name of an object', () => token({ name: {} })],
    ['roles of an object', () => token({ roles: { admin: true } })],
    ['roles of numbers', () => token({ roles: [1] })],
    ['iat of text', () => token({ iat: 'now' })],
    ['iat from the future', () => token({ iat: now() + 60 })],
    ['iat from the future, and a mark that is none of ours', () => token({ iat: now() + 60, parley: { at: 'now' } })],
    ['jti of an object', () => token({ jti: {} })],
    ['sub of a bot', () => token({ sub: 'bot:x' })],
    ['sub of a bot, and our mark', () => token({ sub: 'bot:x', parley: { at: now() } })],
    ['sub of a guest', () => token({ sub: 'guest:x' })],
    ['far too long', () => token({ name: 'x'.repeat(20_000) })],
  ];

  it.each(bad)('refuses a token with %s', async (_, make) => {
    expect(await outcome(make())).toBe('unauthenticated');
  });

  it('line 15: signs with the first secret and verifies with each, until one is taken away', async () => {
    const older = 'an-older-secret-that-is-on-its-way-out-0123';
    const after = new TokenService(new JwtService({}), configOf([SECRET, older]));
    const before = new TokenService(new JwtService({}), configOf([older]));
    const old = await before.sign({ sub: 'u7', signedAt: now() });
    const fresh = await after.sign({ sub: 'u8', signedAt: now() });
    expect(await after.verify(old)).toMatchObject({ userId: 'u7' });
    // As a program signs that does not name its key.
    for (const key of [SECRET, older]) expect(await after.verify(token({}, {}, key))).toMatchObject({ userId: 'u7' });
    expect(await tokens.verify(fresh)).toMatchObject({ userId: 'u8' });
    await expect(before.verify(fresh)).rejects.toMatchObject({ code: 'unauthenticated' });
    for (const gone of [old, token({}, {}, older)]) await expect(tokens.verify(gone)).rejects.toMatchObject({ code: 'unauthenticated' });
    // A key's name is no way around its secret.
    await expect(after.verify(token({}, { kid: keyId(SECRET) }, older))).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(after.verify(token({ exp: now() - 60 }, {}, older))).rejects.toThrow('has expired');
  });

  it('ignores where a header says that keys are', async () => {
    const header = { jku: 'http://127.0.0.1:1/keys', x5u: 'http://127.0.0.1:1/cert', jwk: { kty: 'oct', k: 'eA' } };
    expect(await outcome(token({}, header))).toMatchObject({ userId: 'u7' });
    expect(await outcome(token({}, header, 'x'))).toBe('unauthenticated');
  });

  it('allows the issuer a clock that is a little ahead', async () => {
    const iat = now() + 2;
    expect(await outcome(token({ nbf: iat, iat }))).toMatchObject({ userId: 'u7', issuedAt: iat - 5 });
  });

  it('bounds an exp beyond every calendar', async () => {
    const principal = await tokens.verify(token({ exp: 1e300 }));
    expect(new Date(principal.expiresAt).getUTCFullYear()).toBe(9999);
  });
});

function rsaPublicKey(): string {
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' }) as string;
}

function tampered(text: string): string {
  const [head, body, signature] = text.split('.');
  const claims = JSON.parse(Buffer.from(body!, 'base64url').toString()) as object;
  return [head, encode({ ...claims, sub: 'admin' }), signature].join('.');
}
