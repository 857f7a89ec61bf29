import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Principal } from './principal.js';

/** A ticket that has not been used yet; its text is known by its SHA-256 alone. */
@Entity('tickets')
export class TicketEntity {
  @PrimaryColumn('bytea')
  hash!: Buffer;

  /** The principal of the token that the ticket was given for. */
  @Column('jsonb')
  claims!: Principal;

  @Column({ type: 'timestamptz', name: 'expires_at', precision: 3 })
  expiresAt!: Date;
}
