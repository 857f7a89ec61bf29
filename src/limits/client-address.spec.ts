import { describe, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import proxyAddress from 'proxy-addr';
import { addressKey, clientAddress } from './client-address.js';

describe('addressKey', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ])('%s counts as %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});

describe('clientAddress', () => {
  const trusted = proxyAddress.compile(['10.0.0.0/8', 'loopback']);
  const request = (remoteAddress: string | undefined, forwarded?: string) =>
    ({ socket: { remoteAddress }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage;

  it.each([
    ['203.0.113.9', '198.51.100.1', '203.0.113.9', 'a peer that is no proxy is the client, whatever it says'],
    ['10.0.0.1', undefined, '10.0.0.1', 'a proxy that says nothing counts itself'],
    ['10.0.0.1', '198.51.100.1', '198.51.100.1', 'a proxy names its client'],
    ['10.0.0.1', '192.0.2.1, 198.51.100.1', '198.51.100.1', 'what stands before the client he wrote himself'],
    ['10.0.0.1', '198.51.100.1, 10.0.0.2', '198.51.100.1', 'a proxy behind a proxy'],
    ['::ffff:10.0.0.1', '2001:db8:1:2::9', '2001:db8:1:2::/64', 'IPv6, and a mapped peer'],
    ['10.0.0.1', '198.51.100.1, what?', '10.0.0.1', 'what is no address counts as the proxy'],
    ['10.0.0.1', '198.51.100.1:5555', '198.51.100.1', 'a proxy that tells the port too'],
    ['10.0.0.1', '[2001:db8:1:2::9]:443', '2001:db8:1:2::/64', 'the port of an IPv6 address'],
    ['10.0.0.1', '[2001:db8:1:2::9]', '2001:db8:1:2::/64', 'brackets without a port'],
    ['10.0.0.1', '"198.51.100.1:5555"', '198.51.100.1', 'in quotes'],
    ['10.0.0.1', '"[2001:db8:1:2::9]:443"', '2001:db8:1:2::/64', 'IPv6 in quotes'],
    ['10.0.0.1', '192.0.2.1:80, 198.51.100.1:5555, 10.0.0.2:4711', '198.51.100.1', 'a proxy with a port is one too'],
    ['10.0.0.1', '198.51.100.1, 203.0.113.256:80', '10.0.0.1', 'a port does not make an address of what is none'],
    ['10.0.0.1', ' ,, ', '10.0.0.1', 'nothing at all'],
    [undefined, '198.51.100.1', '', 'a peer that has gone'],
  ])('%s with %s is %s: %s', (peer, forwarded, client, _why) => {
    expect(clientAddress(request(peer, forwarded), trusted)).toBe(client);
  });

  it('believes nobody when no proxy is trusted', () => {
    expect(clientAddress(request('127.0.0.1', '198.51.100.1'), proxyAddress.compile([]))).toBe('127.0.0.1');
  });
});
