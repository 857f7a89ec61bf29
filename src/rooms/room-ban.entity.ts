import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A user who may neither read nor join the room. Never a member at the same time: both change under the room's lock. */
@Entity('room_bans')
export class RoomBanEntity {
  @PrimaryColumn('uuid', { name: 'room_id' })
  roomId!: string;

  @PrimaryColumn('text', { name: 'user_id' })
  userId!: string;

  @Column({ type: 'text', name: 'by_user' })
  byUser!: string;

  @Column({ type: 'text', nullable: true })
  reason!: string | null;

  @Column({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  /** When the ban ends by itself; null: not before it is lifted. */
  @Column({ type: 'timestamptz', nullable: true })
  until!: Date | null;
}
