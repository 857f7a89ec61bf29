import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ChosenStatus } from '../protocol/index.js';

/** A user, known since the first sight of a token with this `sub`, or since registration. */
@Entity('users')
export class UserEntity {
  @PrimaryColumn('text', { collation: 'C' })
  id!: string;

  @Column('text', { nullable: true })
  name!: string | null;

  @Column('text', { default: 'online' })
  status!: ChosenStatus;

  @Column({ type: 'timestamptz', name: 'last_seen_at', precision: 3, nullable: true })
  lastSeenAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'banned_at', precision: 3, nullable: true })
  bannedAt!: Date | null;

  /** What a login signs into its access tokens. */
  @Column('text', { array: true, default: [] })
  roles!: string[];

  @Column({ type: 'timestamptz', name: 'disabled_at', precision: 3, nullable: true })
  disabledAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3, default: () => 'clock_timestamp()' })
  createdAt!: Date;
}
