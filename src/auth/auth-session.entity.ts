import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One login: the family of refresh tokens that grew from it. Access tokens carry its id as `sid`. */
@Entity('auth_sessions')
export class AuthSessionEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column({ type: 'text', name: 'user_id', collation: 'C' })
  userId!: string;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3, default: () => 'clock_timestamp()' })
  createdAt!: Date;

  @Column({ type: 'timestamptz', name: 'revoked_at', precision: 3, nullable: true })
  revokedAt!: Date | null;
}
