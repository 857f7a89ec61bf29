import proxyAddress from 'proxy-addr';
import { z } from 'zod';

/** What a setting may be, and how its text is read. */

/** Reads `true`/`false`, `1`/`0`, `on`/`off`, in any case. */
export const flag = z.stringbool();
export const milliseconds = (max: number) => z.coerce.number().int().min(0).max(max);
export const count = (max: number) => z.coerce.number().int().min(1).max(max);
export const seconds = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

export const redisUrls = list.refine((urls) => urls.length > 0 && urls.every((url) => /^rediss?:\/\//.test(url)), {
  message: 'must begin with redis:// or rediss://',
});

/** Tokens a second, and how many at once after a rest. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export const rate = z.string().refine(
  (value) => {
    const { perSecond, burst } = rateOf(value);
    return /^\d{1,7}\/\d{1,7}$/.test(value) && perSecond >= 1 && burst >= 1;
  },
  { message: 'must be a rate a second and a burst, such as 50/500' },
);

export function rateOf(value: string): Rate {
  const [perSecond, burst] = value.split('/').map(Number);
  return Object.freeze({ perSecond: perSecond!, burst: burst! });
}

export const proxies = list.refine(isProxyList, {
  message: 'must be addresses, ranges such as 10.0.0.0/8, or loopback, linklocal, uniquelocal',
});

function isProxyList(addresses: string[]): boolean {
  try {
    proxyAddress.compile(addresses);
    return true;
  } catch {
    return false;
  }
}

/** A URL whose answer nobody can change on its way: whoever could, could be any user. */
export const privateUrl = z.string().refine(isPrivate, 'must be an https:// URL, or http:// of this machine');

function isPrivate(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname));
}

/** Signatures by a private key. HS256 is not among them: with it, whoever knows the provider's public key could sign. */
const PROVIDER_ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512'],
  ...['PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512'],
  ...['EdDSA', 'Ed25519'],
] as const;

export const signatures = list.pipe(
  z.array(z.enum(PROVIDER_ALGORITHMS, { error: `must be among ${PROVIDER_ALGORITHMS.join(', ')}` })).min(1),
);
