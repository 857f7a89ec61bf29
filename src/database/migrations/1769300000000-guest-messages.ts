import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which guests have sent something, so that those who have not can be forgotten. Messages of others cost it nothing. */
export class GuestMessages1769300000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX messages_of_guests ON messages (sender_id) WHERE sender_id >= 'guest:' AND sender_id < 'guest;'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX messages_of_guests`);
  }
}
