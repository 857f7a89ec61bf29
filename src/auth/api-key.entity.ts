import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Scope } from './scopes.js';

/** A backend's key, known by the SHA-256 of its secret alone. States: good, then expired or revoked, for ever. */
@Entity('api_keys')
export class ApiKeyEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  name!: string;

  @Column('bytea')
  hash!: Buffer;

  @Column('text', { array: true })
  scopes!: Scope[];

  /** The user that the backend is when it acts for nobody else. */
  @Column({ type: 'text', name: 'bot_user', collation: 'C' })
  botUser!: string;

  @Column({ type: 'text', name: 'created_by', collation: 'C' })
  createdBy!: string;

  /** The key that it was made by, and ends with. */
  @Column({ type: 'uuid', name: 'parent_id', nullable: true })
  parentId!: string | null;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3, default: () => 'clock_timestamp()' })
  createdAt!: Date;

  /** Null: it lives until it is revoked. */
  @Column({ type: 'timestamptz', name: 'expires_at', precision: 3, nullable: true })
  expiresAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'revoked_at', precision: 3, nullable: true })
  revokedAt!: Date | null;

  /** To the minute. */
  @Column({ type: 'timestamptz', name: 'last_used_at', precision: 3, nullable: true })
  lastUsedAt!: Date | null;

  /** The maker's own name for the request that made it. */
  @Column({ type: 'text', name: 'creation_key', nullable: true })
  creationKey!: string | null;
}
