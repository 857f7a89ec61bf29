import proxyAddress from 'proxy-addr';
import { z } from 'zod';

/** What a setting may be, and how its text is read. */

/** Reads `true`/`false`, `1`/`0`, `on`/`off`, in any case. */
export const flag = z.stringbool({ error: 'must be true or false' });

/** Both bounds are good. */
export function integer(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

const BETWEEN_0_AND_1 = 'must be a number from 0 to 1';
export const share = z.coerce.number({ error: BETWEEN_0_AND_1 }).min(0, BETWEEN_0_AND_1).max(1, BETWEEN_0_AND_1);

export const milliseconds = (max: number) => integer(0, max);
export const count = (max: number) => integer(1, max);
export const seconds = (min: number, max: number) => integer(min, max);
export const port = integer(0, 65_535);

export function oneOf<const Word extends string>(words: readonly Word[]) {
  return z.enum(words, { error: `must be one of ${words.join(', ')}` });
}

export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

export const redisUrls = list.refine((urls) => urls.length > 0 && urls.every((url) => /^rediss?:\/\//.test(url)), {
  message: 'must begin with redis:// or rediss://',
});

const LEAST_BYTES = 32;
const LEAST_CHARACTERS = 8;

/** @returns what is wrong with a secret that nobody is to guess, as the end of a sentence of which it is the subject; nothing if it will do */
export function weaknessOf(secret: string): string | undefined {
  if (Buffer.byteLength(secret) < LEAST_BYTES) return `must have at least ${LEAST_BYTES} bytes`;
  if (new Set(secret).size < LEAST_CHARACTERS) return `is too easy to guess: it has fewer than ${LEAST_CHARACTERS} different characters`;
  return undefined;
}

/** Secrets that sign tokens. */
export const secrets = list
  .refine((given) => given.length > 0, 'names no secret')
  .superRefine((given, context) => {
    const message = given.map(weaknessOf).find((weakness) => weakness !== undefined);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

export const origins = list.refine((given) => given.every(isOrigin), 'must be origins such as https://chat.example, with nothing behind');

// As browsers send them: they leave out the scheme's own port, and schemes of apps have origins that URL does not know.
function isOrigin(text: string): boolean {
  if (text.includes('*')) return false;
  if (/^https?:/.test(text)) return URL.canParse(text) && new URL(text).origin === text;
  return /^[a-z][a-z\d+.-]*:\/\/[^/?#*\s]+$/.test(text);
}

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
