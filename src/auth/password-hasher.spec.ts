import { beforeAll, describe, expect, it } from '@jest/globals';
import { PasswordHasher } from './password-hasher.js';

describe('PasswordHasher', () => {
  const hasher = new PasswordHasher();
  beforeAll(() => hasher.onModuleInit());

  it('hashes by argon2id, with a salt of its own each time', async () => {
    const [first, second] = await Promise.all([hasher.hash('correct horse'), hasher.hash('correct horse')]);
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(first).not.toBe(second);
    expect(await hasher.verify(first, 'correct horse')).toBe(true);
    expect(await hasher.verify(first, 'Correct horse')).toBe(false);
  });

  it('says no for an account that is not there', async () => {
    expect(await hasher.verify(null, 'correct horse')).toBe(false);
  });

  it('refuses what it cannot do soon, and does the rest', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 210 }, () => hasher.verify('not a hash', 'x')));
    const refused = outcomes.filter(
      (outcome) => outcome.status === 'rejected' && (outcome.reason as { code?: string }).code === 'unavailable',
    );
    expect(refused).toHaveLength(8);
    expect(await hasher.verify(null, 'x')).toBe(false);
  });
});
