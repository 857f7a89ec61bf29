/** What the server says without being asked. Durable events have a place (`seq`) in their room's log; ephemeral ones never do. */

export type RoomType = 'public' | 'private' | 'direct';
export type Role = 'owner' | 'moderator' | 'member';
export type PresenceStatus = 'online' | 'away' | 'busy' | 'offline';
/** What a user may choose; `invisible` shows as `offline`. */
export type ChosenStatus = 'online' | 'away' | 'busy' | 'invisible';
export type ClosedReason = 'left' | 'kicked' | 'banned' | 'archived' | 'deleted' | 'reset';
export type Meta = Record<string, unknown>;

/** A message as it stands. Named by its room and `seq`; times are ISO 8601 UTC with milliseconds. */
export interface Message {
  seq: number;
  /** The seq of the last event that this state reflects; a client ignores events about the message up to it. */
  lastSeq: number;
  sender: string;
  clientId: string;
  /** `''` once deleted. */
  text: string;
  meta: Meta;
  /** Grows by one with each edit, from 1. */
  version: number;
  createdAt: string;
  editedAt: string | null;
  deletedAt: string | null;
}

export interface RoomView {
  id: string;
  type: RoomType;
  name: string | null;
  topic: string | null;
  meta: Meta;
  epoch: string;
  firstSeq: number;
  headSeq: number;
  memberCount: number;
  createdBy: string;
  createdAt: string;
  archivedAt: string | null;
}

export interface MemberEventData {
  user: string;
  role: Role;
  by: string;
  reason?: string;
}

export interface DurableEvents {
  'message.created': Message;
  'message.updated': Message;
  'message.deleted': Message;
  'member.joined': MemberEventData;
  'member.left': MemberEventData;
  'member.updated': MemberEventData;
  'room.updated': { room: RoomView };
  'room.archived': { room: RoomView };
  'room.deleted': { room: RoomView };
}
export type DurableEvent = keyof DurableEvents;

export interface PresenceView {
  user: string;
  status: PresenceStatus;
  /** When the user was last seen online; null for one never seen, and while online. */
  lastSeenAt: string | null;
}

export interface EphemeralEvents {
  hello: Hello;
  typing: { user: string; active: boolean };
  'presence.changed': PresenceView;
  'read.updated': { user: string; seq: number };
  'room.added': { room: RoomView; role: Role };
  'room.removed': { room: string; reason: ClosedReason };
  'room.closed': { reason: ClosedReason };
  'auth.expiring': { expiresAt: string };
  notice: { text: string; level: 'info' | 'warning' | 'critical'; room?: string };
  drain: { reconnectInMs: number };
}
export type EphemeralEvent = keyof EphemeralEvents;

export interface Hello {
  connectionId: string;
  userId: string;
  protocol: 'parley.v1';
  expiresAt: string;
  heartbeatMs: number;
  features: readonly string[];
  limits: {
    frameBytes: number;
    textChars: number;
    subscriptions: number;
    inFlight: number;
    replayEvents: number;
    largeRoom: number;
  };
}

/** Optional parts of the protocol that this server has. */
export const FEATURES = ['presence', 'typing', 'readMarks'] as const;
