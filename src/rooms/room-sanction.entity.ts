import { Column, Entity, PrimaryColumn } from 'typeorm';

abstract class RoomSanctionEntity {
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

  /** When it ends by itself; null: not before it is lifted. */
  @Column({ type: 'timestamptz', nullable: true })
  until!: Date | null;
}

/** A user who may neither read nor join the room. Never a member at the same time: both change under the room's lock. */
@Entity('room_bans')
export class RoomBanEntity extends RoomSanctionEntity {}

/** A user who reads the room and may say nothing in it. It outlives his membership. */
@Entity('room_mutes')
export class RoomMuteEntity extends RoomSanctionEntity {}
