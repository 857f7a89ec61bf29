import type { IncomingMessage } from 'node:http';
import { isIP, isIPv6 } from 'node:net';
import proxyAddress from 'proxy-addr';

/**
 * What limits by address count, of a REST request or an upgrade: the peer of the connection; when that is a trusted proxy, the nearest
 * address of `X-Forwarded-For` that is none, with or without its port. Of a header nothing else is believed, since any client can write one.
 * An IPv6 client owns a whole /64 of addresses, which count as one.
 * @param trustsProxy `trustedProxies` of the configuration
 */
export function clientAddress(
  request: Pick<IncomingMessage, 'socket' | 'headers'>,
  trustsProxy: (address: string, hops: number) => boolean,
): string {
  // The peer first. It ends with the first that is not trusted, or with the farthest one.
  const hops = proxyAddress.all(request as IncomingMessage, (hop, index) => trustsProxy(addressOf(hop), index));
  // What is no address was written by nobody who can be counted: then it is the proxy that let it pass.
  return addressKey(hops.map(addressOf).findLast((address) => isIP(address) !== 0) ?? '');
}

/** `192.0.2.1:5555`, `[2001:db8::5]:443`, each also in quotes. */
const WITH_PORT = /^"?(?:\[([\w:.%]+)\]|([\d.]+))(?::\d{1,5})?"?$/;

// Some proxies tell the port too. It changes with each connection, and so would what is counted.
function addressOf(hop: string): string {
  const [, inBrackets, plain] = WITH_PORT.exec(hop) ?? [];
  return inBrackets ?? plain ?? hop;
}

export function addressKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain)) return address;
  const [before = '', after] = plain.toLowerCase().split('::');
  const groups = before === '' ? [] : before.split(':');
  if (after !== undefined) {
    const tail = after === '' ? [] : after.split(':');
    while (groups.length + tail.length < 8) groups.push('0');
    groups.push(...tail);
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
