import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A user who reads the room and may say nothing in it. It outlives his membership. */
@Entity('room_mutes')
export class RoomMuteEntity {
  @PrimaryColumn('uuid', { name: 'room_id' })
  roomId!: string;

  @PrimaryColumn('text', { name: 'user_id' })
  userId!: string;

  @Column({ type: 'text', name: 'by_user' })
  byUser!: string;

  @Column({ type: 'text', nullable: true })
  reason!: string | null;

  /** When the mute ends by itself; null: not before it is lifted. */
  @Column({ type: 'timestamptz', nullable: true })
  until!: Date | null;

  @Column({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;
}
