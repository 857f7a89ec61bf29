import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestSettings } from './test-app.js';

/** A key pair of the provider's. */
export interface ProviderKey {
  kid: string;
  alg: string;
  privateKey: CryptoKey;
  publicKey: CryptoKey;
}

export type Conduct =
  | 'answers'
  | 'fails'
  | 'drips'
  | 'never ends'
  | 'talks nonsense'
  | 'redirects'
  | 'shows no key'
  | 'shows no key set'
  | 'shows too many keys'
  | 'shows no key to use';

/** An identity provider: a real HTTP server that serves its public keys, and signs tokens with the private ones. */
export class JwksServer {
  /** How often the keys were asked for. */
  requests = 0;
  /** Of the last answer without an end, or with one that nobody should wait for. */
  bytesWritten = 0;
  conduct: Conduct = 'answers';
  readonly issuer = 'https://login.example/realms/work';
  readonly audience = 'chat';
  #published: JWK[] = [];
  #server: Server;
  #port = 0;

  private constructor() {
    this.#server = this.#make();
  }

  static async start(): Promise<JwksServer> {
    const provider = new JwksServer();
    await provider.up();
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/keys`;
  }

  /** What makes a server take this provider's tokens. */
  get settings(): TestSettings {
    return { AUTH_JWKS_URL: this.url, AUTH_JWKS_ISSUER: this.issuer, AUTH_JWKS_AUDIENCE: this.audience };
  }

  /** On the port that it has, or on a free one. */
  async up(): Promise<void> {
    this.#server = this.#make();
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Nothing listens any more. */
  async down(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Makes a key, and publishes it unless told otherwise. */
  async key(kid: string, alg: string, { isPublished = true } = {}): Promise<ProviderKey> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const key = { kid, alg, privateKey, publicKey };
    if (isPublished) await this.publish(key);
    return key;
  }

  async publish({ kid, alg, publicKey }: ProviderKey): Promise<void> {
    this.#published.push({ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' });
  }

  withdraw(kid: string): void {
    this.#published = this.#published.filter((key) => key.kid !== kid);
  }

  /** A token with any claims and header over the usual ones; `undefined` leaves one out. */
  token(
    { kid, alg, privateKey }: ProviderKey,
    claims: Record<string, unknown> = {},
    header: Record<string, unknown> = {},
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const usual = { sub: 'u7', iss: this.issuer, aud: this.audience, iat: now, exp: now + 3600 };
    return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg, kid, ...header }).sign(privateKey);
  }

  /** The public key as text, which an attacker has too. */
  pem({ publicKey }: ProviderKey): Promise<string> {
    return exportSPKI(publicKey);
  }

  #make(): Server {
    return createServer((_request, response) => {
      this.requests++;
      if (this.conduct === 'fails') return void response.writeHead(500).end('{}');
      if (this.conduct === 'redirects') return void response.writeHead(302, { location: this.url }).end();
      response.writeHead(200, { 'content-type': 'application/json' });
      if (this.conduct === 'drips') return void this.#drip(response);
      if (this.conduct === 'never ends') return void this.#flood(response);
      response.end(this.conduct === 'talks nonsense' ? '<html>' : JSON.stringify(this.#shown()));
    });
  }

  #shown(): unknown {
    if (this.conduct === 'shows no key') return { keys: [] };
    if (this.conduct === 'shows no key set') return { error: 'not yet' };
    if (this.conduct === 'shows too many keys') return { keys: [...this.#published, ...Array<object>(256).fill({ kty: 'oct', k: 'eA' })] };
    if (this.conduct !== 'shows no key to use') return { keys: this.#published };
    const ofRsa = this.#published.find(({ kty }) => kty === 'RSA')!;
    return {
      keys: [
        { kty: 'oct', k: 'eA' },
        { ...ofRsa, use: 'enc' },
        { ...ofRsa, alg: 'RS512' },
        { ...ofRsa, n: 'AQAB' },
      ],
    };
  }

  /** A key set that is all there but for its end: a space comes now and then. */
  #drip(response: ServerResponse): void {
    response.write(JSON.stringify({ keys: this.#published }));
    const timer = setInterval(() => response.write(' '), 200);
    response.once('close', () => clearInterval(timer));
  }

  /** As much as the receiver takes, up to 64 MiB. */
  #flood(response: ServerResponse): void {
    this.bytesWritten = 0;
    response.write(JSON.stringify({ keys: this.#published }));
    const more = () => {
      if (response.destroyed) return;
      if (this.bytesWritten >= 67_108_864) return void response.end();
      this.bytesWritten += SPACES.length;
      if (response.write(SPACES)) setImmediate(more);
      else response.once('drain', more);
    };
    more();
  }
}

const SPACES = Buffer.alloc(65_536, ' ');
