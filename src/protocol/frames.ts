import type { z } from 'zod';
import { COMMANDS, type CommandName } from './commands.js';
import type { ErrorCode, ErrorData, ErrorDetail } from './errors.js';
import type { DurableEvent, DurableEvents, EphemeralEvent, EphemeralEvents } from './events.js';

/** One command as the client sent it: known, well-formed, its data checked against the schema of its event. */
export interface CommandFrame {
  id: number | undefined;
  event: CommandName;
  data: { room?: string } & Record<string, unknown>;
  /** The trace that the client wants it to be a part of, as W3C Trace Context writes it. Not looked at yet. */
  traceparent?: string;
}

/** Why a frame is not a command. `id` is there when the frame named a good one: the failure is answered to it. */
export interface FrameProblem {
  id: number | undefined;
  code: Extract<ErrorCode, 'bad_frame' | 'unknown_event' | 'validation_failed'>;
  message: string;
  details?: ErrorDetail[];
}

export type ParsedFrame = { command: CommandFrame } | { problem: FrameProblem };

const MAX_DETAILS = 20;

/** Reads a text frame. Never throws, whatever the text. */
export function parseFrame(text: string): ParsedFrame {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return badFrame('The frame is not JSON.');
  }
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) return badFrame('The frame is not a JSON object.');
  const { id, event, data, traceparent } = frame as Record<string, unknown>;
  if (id !== undefined && !(Number.isSafeInteger(id) && (id as number) >= 1)) {
    return badFrame('id must be an integer from 1 to 9007199254740991.');
  }
  if (typeof event !== 'string') return badFrame('event must be a string.');
  const parsed = parseData(id as number | undefined, event, data === undefined ? {} : data);
  if (typeof traceparent === 'string' && 'command' in parsed) parsed.command.traceparent = traceparent;
  return parsed;
}

function parseData(id: number | undefined, event: string, data: unknown): ParsedFrame {
  if (!Object.hasOwn(COMMANDS, event)) {
    return { problem: { id, code: 'unknown_event', message: 'There is no such command.' } };
  }
  const parsed = COMMANDS[event as CommandName].safeParse(data);
  if (parsed.success) return { command: { id, event: event as CommandName, data: parsed.data } };
  const details = parsed.error.issues.flatMap(detailsOf).slice(0, MAX_DETAILS);
  return { problem: { id, code: 'validation_failed', message: 'The data of the command is not valid.', details } };
}

/** One for each field that is wrong, as REST has it: of an unknown field its own path, too. */
function detailsOf(issue: z.core.$ZodIssue): ErrorDetail[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path.join('.'), message: issue.message }];
  return issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'is not a known field' }));
}

function badFrame(message: string): ParsedFrame {
  return { problem: { id: undefined, code: 'bad_frame', message } };
}

/** A whole unmasked, final RFC 6455 text frame: what the server writes, ready for any number of sockets. */
export function textFrame(json: string): Buffer {
  const length = Buffer.byteLength(json);
  const frame = frameStart(length, length);
  frame.write(json, frame.length - length, 'utf8');
  return frame;
}

/** As `textFrame`, of JSON in pieces, to be written one behind the other. Buffers among them are not copied, so they can be shared. */
export function textFramePieces(pieces: readonly (string | Buffer)[]): Buffer[] {
  const buffers = pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece));
  return [
    frameStart(
      buffers.reduce((sum, { length }) => sum + length, 0),
      0,
    ),
    ...buffers,
  ];
}

/** The head of a text frame whose payload has `length` bytes, and `room` bytes behind it, as they come. */
function frameStart(length: number, room: number): Buffer {
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + room);
  frame[0] = 0x81;
  if (head === 2) {
    frame[1] = length;
  } else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  return frame;
}

/** A durable event as JSON; the same text whether it is fanned out or replayed. */
export function durableJson<E extends DurableEvent>(event: E, room: string, seq: number, at: string, data: DurableEvents[E]): string {
  return JSON.stringify({ event, room, seq, at, data });
}

export function ephemeralFrame<E extends EphemeralEvent>(event: E, data: EphemeralEvents[E], room?: string): Buffer {
  return textFrame(JSON.stringify(room === undefined ? { event, data } : { event, room, data }));
}

export function ackFrame(id: number, data: unknown): Buffer {
  return textFrame(JSON.stringify({ id, event: 'ack', data }));
}

export function errorFrame(id: number | undefined, data: ErrorData): Buffer {
  return textFrame(JSON.stringify(id === undefined ? { event: 'error', data } : { id, event: 'error', data }));
}
