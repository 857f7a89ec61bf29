import type { Scope } from './scopes.js';

/** A user who had a token signed for another, and when his own was made. */
export type Minter = Pick<Principal, 'userId' | 'issuedAt'>;

/** Who a request or a connection acts for: what its access token, or its API key, says. */
export interface Principal {
  /** The token's `sub`. */
  readonly userId: string;
  readonly name: string | null;
  readonly roles: readonly string[];
  /** The login that the token came from (`sid`); null for a token signed elsewhere. */
  readonly sessionId: string | null;
  /** The token's `iss`. Not of an API key; nor of a ticket that an instance of an older release made. */
  readonly issuer?: string;
  /** The token's `jti`, which is another token's too where the issuer is another. */
  readonly tokenId: string | null;
  /**
   * The earliest that it can have been made, in Unix seconds. Exact, and by the database's clock, in this server's own tokens; of others
   * their `iat` less the tolerance of clocks, or 0 when the token does not say.
   */
  readonly issuedAt: number;
  /** Unix milliseconds. */
  readonly expiresAt: number;
  /** Only of a backend: the API key that it calls with, as its bot or as the user whom it acts for. */
  readonly key?: { readonly id: string; readonly scopes: readonly Scope[] };
  /** Only of a token or ticket that an API key got for its user: that key, whose scopes it has not, but with which it ends. */
  readonly fromKey?: string;
  /**
   * Only of a token or ticket that users got signed, and what was got by it; and of a key that keys made, whose bots they are: it ends with
   * theirs. The last one comes first.
   */
  readonly mintedBy?: readonly Minter[];
}
