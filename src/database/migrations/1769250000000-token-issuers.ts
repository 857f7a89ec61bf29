import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whose token is revoked: a `jti` is unique only among those of its issuer. */
export class TokenIssuers1769250000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Null, as in rows that are there and in those of the release before this one: of every issuer.
    await runner.query(`ALTER TABLE revoked_tokens ADD COLUMN issuers text[]`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE revoked_tokens DROP COLUMN issuers`);
  }
}
