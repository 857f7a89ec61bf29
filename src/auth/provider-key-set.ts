import { createLocalJWKSet, type CryptoKey, type JWK, type LocalJWKSet } from 'jose';

/** Of the request and of its whole answer together, however slowly it comes. */
const TIMEOUT_MS = 3_000;
/** A provider has a handful of keys; each costs under 5 KiB, with its certificates. */
const MAX_BYTES = 262_144;
/** To see what a key is good for takes 0.7 ms. */
const MAX_KEYS = 256;
/** RFC 7518 asks for so many of a key by RSA, and jose checks no signature by a smaller one. */
const LEAST_RSA_BITS = 2_048;

/**
 * Reads the key set that lies at the URL now, and leaves out what checks no signature by one of the algorithms. A redirect is not followed.
 * @throws when there is no answer, or one that is no key set, is too long, or has not one key that can be used: who has none is not ready
 */
export async function readKeySet(url: string, algorithms: readonly string[]): Promise<LocalJWKSet> {
  const response = await fetch(url, {
    headers: { accept: 'application/json, application/jwk-set+json' },
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`the answer is ${response.status}`);
  }
  const { keys } = JSON.parse(await textOf(response.body)) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('the answer is no key set');
  if (keys.length > MAX_KEYS) throw new Error(`its ${keys.length} keys are more than ${MAX_KEYS}`);
  const usable: JWK[] = [];
  for (const key of keys as JWK[]) if (await isUsable(key, algorithms)) usable.push(key);
  if (usable.length === 0) throw new Error(`none of its ${keys.length} keys checks signatures by ${algorithms.join(', ')}`);
  return createLocalJWKSet({ keys: usable });
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`the answer is longer than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function isUsable(key: JWK, algorithms: readonly string[]): Promise<boolean> {
  for (const alg of algorithms) {
    try {
      if (isStrong(await createLocalJWKSet({ keys: [key] })({ alg }))) return true;
    } catch {
      // of another algorithm, for encryption, or no key at all
    }
  }
  return false;
}

function isStrong({ algorithm }: CryptoKey): boolean {
  return ((algorithm as { modulusLength?: number }).modulusLength ?? LEAST_RSA_BITS) >= LEAST_RSA_BITS;
}
