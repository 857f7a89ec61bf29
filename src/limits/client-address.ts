import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';

/**
 * What limits by address count: the peer of the connection. No header counts, since any client can write one.
 * An IPv6 client owns a whole /64 of addresses, which count as one.
 */
export function clientAddress(request: Pick<IncomingMessage, 'socket'>): string {
  return addressKey(request.socket.remoteAddress ?? '');
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
