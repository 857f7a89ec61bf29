/** Bounds of protocol version 1. Lengths are UTF-16 code units unless a name says bytes. */
export const LIMITS = {
  /** Largest frame a client may send; a larger one closes the connection with 1009. */
  frameBytes: 65_536,
  textChars: 8_000,
  clientIdChars: 64,
  userIdChars: 255,
  roomNameChars: 200,
  roomTopicChars: 1_000,
  reasonChars: 500,
  metaBytes: 4_096,
  metaDepth: 8,
  /** Rooms that one connection may follow at a time. */
  subscriptions: 200,
  /** Rooms in one `rooms.subscribe`. */
  roomsPerSubscribe: 50,
  /** Commands of one connection under way; then the server stops reading from it. */
  inFlight: 64,
  /** Durable events that a subscribe replays; more, and the client pages history anew. */
  replayEvents: 500,
  replayBytes: 262_144,
  /** Over this many members, a room gives up per-member events, typing, receipts and presence lists. */
  largeRoom: 200,
  serverFrameBytes: 524_288,
  pageItems: 200,
  pageItemsDefault: 50,
  eventPageItems: 500,
  pageBytes: 262_144,
  unreadMax: 100,
  /** Members of a direct room, its maker included, and members named when a room is made. */
  directMembers: 50,
  initialMembers: 200,
  membersPerRoom: 100_000,
} as const;

export const TIMES = {
  heartbeatMs: 25_000,
  typingLapseMs: 6_000,
  expiryWarningMs: 60_000,
  ticketMs: 30_000,
} as const;

/** Unsent bytes of a connection: beyond the first it loses ephemeral events and is not read; beyond the second it is closed. */
export const UNSENT = {
  pauseBytes: 262_144,
  closeBytes: 1_048_576,
} as const;
