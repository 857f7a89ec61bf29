/**
 * Why the server closes a socket. The range tells the client what to do:
 * 4000–4099 reconnect with backoff and jitter, 4100–4199 get a new token first,
 * 4200–4299 do not reconnect.
 */
export const CLOSE_CODES = {
  internal: 4000,
  draining: 4001,
  closedByAdministrator: 4002,
  slowConsumer: 4008,
  heartbeatMissed: 4012,
  flooding: 4013,
  tokenExpired: 4100,
  revoked: 4101,
  protocolViolation: 4200,
  banned: 4203,
  tooManyConnections: 4204,
  /** RFC 6455: a binary frame came. */
  unsupportedData: 1003,
  /** RFC 6455, sent by the WebSocket library: malformed frames, invalid UTF-8, a frame over `frameBytes`. */
  protocolError: 1002,
  invalidPayload: 1007,
  messageTooBig: 1009,
} as const;

export type CloseReason = keyof typeof CLOSE_CODES;
