import { createHash, randomBytes } from 'node:crypto';

/** 256 random bits as 43 characters of base64url: a refresh token or a ticket. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** What is stored of a secret. A plain digest does: 256 random bits cannot be guessed. */
export function secretHash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
