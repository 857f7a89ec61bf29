import { describe, expect, it } from '@jest/globals';
import type { IncomingHttpHeaders } from 'node:http';
import { bearerToken, readUpgradeCredentials } from './upgrade-credentials.js';

const read = (headers: IncomingHttpHeaders, url = '/ws', queryToken = true) => readUpgradeCredentials({ headers, url }, { queryToken });
const codeOf = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
};

describe('readUpgradeCredentials', () => {
  it('takes the first rung that is there', () => {
    const all = { authorization: 'Bearer a', 'sec-websocket-protocol': 'parley.v1, bearer.b' };
    const url = '/ws?ticket=c&access_token=d';
    expect(read(all, url)).toEqual({ kind: 'token', value: 'a' });
    expect(read({ 'sec-websocket-protocol': 'parley.v1, bearer.b' }, url)).toEqual({ kind: 'token', value: 'b' });
    expect(read({ 'sec-websocket-protocol': 'bearer.b,parley.v1' }, url)).toEqual({ kind: 'token', value: 'b' });
    expect(read({}, url)).toEqual({ kind: 'ticket', value: 'c' });
    expect(read({ 'sec-websocket-protocol': 'parley.v1' }, url)).toEqual({ kind: 'ticket', value: 'c' });
    expect(read({}, '/ws?access_token=d')).toEqual({ kind: 'token', value: 'd' });
  });

  it.each(['', 'Bearer', 'Bearer ', 'Basic dTpw', 'Bearer a b', 'Bearera'])(
    'lets a bad Authorization (%p) decide, whatever follows',
    (authorization) => {
      expect(codeOf(() => read({ authorization, 'sec-websocket-protocol': 'parley.v1, bearer.b' }, '/ws?ticket=c'))).toBe(
        'unauthenticated',
      );
    },
  );

  it('refuses an empty bearer subprotocol and an empty ticket', () => {
    expect(codeOf(() => read({ 'sec-websocket-protocol': 'parley.v1, bearer.' }, '/ws?ticket=c'))).toBe('unauthenticated');
    expect(codeOf(() => read({}, '/ws?ticket=&access_token=d'))).toBe('unauthenticated');
  });

  it('refuses bearer without parley.v1, or twice, as malformed', () => {
    expect(codeOf(() => read({ 'sec-websocket-protocol': 'bearer.b' }))).toBe('validation_failed');
    expect(codeOf(() => read({ 'sec-websocket-protocol': 'parley.v2, bearer.b' }))).toBe('validation_failed');
    expect(codeOf(() => read({ 'sec-websocket-protocol': 'parley.v1, bearer.a, bearer.b' }))).toBe('validation_failed');
  });

  it('refuses a parameter that comes twice', () => {
    expect(codeOf(() => read({}, '/ws?ticket=a&ticket=b'))).toBe('unauthenticated');
    expect(codeOf(() => read({}, '/ws?access_token=a&access_token=b'))).toBe('unauthenticated');
  });

  it('takes an API key from a header, and refuses it in the URL', () => {
    expect(read({ authorization: 'Bearer pk_a' })).toEqual({ kind: 'token', value: 'pk_a' });
    expect(() => read({}, '/ws?access_token=pk_a')).toThrow('An API key is not taken from a URL');
    expect(codeOf(() => read({}, '/ws?access_token=%70k_a'))).toBe('unauthenticated');
  });

  it('ignores access_token when it is off', () => {
    expect(codeOf(() => read({}, '/ws?access_token=d', false))).toBe('unauthenticated');
    expect(read({}, '/ws?access_token=d&ticket=c', false)).toEqual({ kind: 'ticket', value: 'c' });
  });

  it.each(['', '/ws', '/ws?', '/ws?%', '/ws?ticket', '//?access_token', '/ws?%E0%A4%A=1'])('answers %p by unauthenticated', (url) => {
    expect(codeOf(() => read({}, url))).toBe('unauthenticated');
  });
});

describe('bearerToken', () => {
  it('takes the scheme in any case', () => {
    expect(bearerToken('bearer abc')).toBe('abc');
    expect(bearerToken('BEARER  abc ')).toBe('abc');
    expect(bearerToken(undefined)).toBeNull();
  });
});
