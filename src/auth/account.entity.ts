import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A user who logs in here. Usernames are unique whatever their case. */
@Entity('accounts')
export class AccountEntity {
  @PrimaryColumn('text', { name: 'user_id', collation: 'C' })
  userId!: string;

  @Column('text')
  username!: string;

  /** PHC string of argon2id. */
  @Column('text', { name: 'password_hash', select: false })
  passwordHash!: string;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3, default: () => 'clock_timestamp()' })
  createdAt!: Date;
}
