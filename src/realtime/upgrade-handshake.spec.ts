import { describe, expect, it } from '@jest/globals';
import { assertHandshake } from './upgrade-handshake.js';

const GOOD = { upgrade: 'websocket', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' };

describe('assertHandshake', () => {
  it.each([
    ['as browsers send it', {}],
    ['in other letters', { upgrade: 'WebSocket' }],
    ['with subprotocols', { 'sec-websocket-protocol': 'parley.v1, bearer.eyJh-_.b.c' }],
  ])('takes one %s', (_, headers) => {
    expect(() => assertHandshake({ method: 'GET', headers: { ...GOOD, ...headers } })).not.toThrow();
  });

  it.each([
    ['another method', 'POST', {}],
    ['another upgrade', 'GET', { upgrade: 'h2c' }],
    ['no key', 'GET', { 'sec-websocket-key': undefined }],
    ['a short key', 'GET', { 'sec-websocket-key': 'c2hvcnQ=' }],
    ['an old version', 'GET', { 'sec-websocket-version': '8' }],
    ['two versions', 'GET', { 'sec-websocket-version': '13, 13' }],
    ['an empty subprotocol', 'GET', { 'sec-websocket-protocol': 'parley.v1,' }],
    ['a subprotocol that is no token', 'GET', { 'sec-websocket-protocol': 'parley v1' }],
    ['a subprotocol twice', 'GET', { 'sec-websocket-protocol': 'parley.v1, parley.v1' }],
  ])('refuses %s', (_, method, headers) => {
    expect(() => assertHandshake({ method, headers: { ...GOOD, ...headers } })).toThrow(
      expect.objectContaining({ code: 'validation_failed' }),
    );
  });
});
