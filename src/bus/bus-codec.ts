import type { ClosedReason, DurableEvent } from '../protocol/index.js';
import type { Answer, LogEvent, Question, RecordedAct, RoomNote, Signal } from './room-bus.js';

/**
 * How the bus writes what it carries, in big-endian bytes:
 *
 *     version u8 · kind u8 · origin 16 bytes
 *     note:   headSeq f64 · count u16 · epoch text8 · count × (event text8 · user text16 or 0xffff · ends text8 · bytes u32) · the frames
 *     signal: audience u8 · user text16 or 0xffff · key text16 · source text8 · lapse after u32 or 0 · bytes of its frame u32 · both frames
 *     act, question, answer, traces: JSON
 *
 * A text begins with its length in bytes, in as many bits as its name says. The channel says which room it is about. Frames are what
 * sockets are written, and are copied here, never made.
 */
const VERSION = 1;
const ORIGIN_AT = 2;
const BODY_AT = ORIGIN_AT + 16;
const NOTE = 1;
const SIGNAL = 2;
const ACT = 3;
const QUESTION = 4;
const ANSWER = 5;
const TRACES = 6;
const NONE = 0xffff;
const AUDIENCES = ['room', 'user', 'everybody'] as const;

/** Beyond this a note goes without its events: whoever follows the room reads them from the log. */
export const MAX_NOTE_BYTES = 262_144;

/**
 * Where events of the note with this head came from. It goes ahead of its note, as a message of its own: a note with more in it than
 * a release knows would be no note to that release, where a kind that it does not know is nothing but ignored.
 */
export interface NoteTraces {
  headSeq: number;
  /** By seq. */
  traceparents: readonly (readonly [seq: number, traceparent: string])[];
}

export type BusMessage =
  | { kind: 'note'; note: Omit<RoomNote, 'room'> }
  | { kind: 'signal'; audience: (typeof AUDIENCES)[number]; user: string | null; signal: Omit<Signal, 'audience'> }
  | { kind: 'act'; recorded: RecordedAct }
  | { kind: 'question'; question: Question }
  | { kind: 'answer'; answer: Answer }
  | { kind: 'traces'; traces: NoteTraces };

/** @param instanceId a UUID @returns the bytes that name this instance in a message */
export function originOf(instanceId: string): Buffer {
  return Buffer.from(instanceId.replaceAll('-', ''), 'hex');
}

export function isFrom(message: Buffer, origin: Buffer): boolean {
  return message.length >= BODY_AT && message.compare(origin, 0, 16, ORIGIN_AT, BODY_AT) === 0;
}

export function encodeNote(origin: Buffer, { epoch, headSeq, events }: RoomNote): Buffer {
  let headBytes = BODY_AT + 11 + Buffer.byteLength(epoch);
  let frameBytes = 0;
  for (const { event, user, ends, frame } of events) {
    headBytes += 8 + event.length + (ends?.length ?? 0) + (user === null ? 0 : Buffer.byteLength(user));
    frameBytes += frame.length;
  }
  // The seqs are not sent: they are the last ones up to the head.
  const goesWhole = headBytes + frameBytes <= MAX_NOTE_BYTES && (events.length === 0 || events[0]!.seq === headSeq - events.length + 1);
  if (!goesWhole) return encodeNote(origin, { room: '', epoch, headSeq, events: [] });
  const message = Buffer.allocUnsafe(headBytes + frameBytes);
  let at = writeHead(message, NOTE, origin);
  at = message.writeDoubleBE(headSeq, at);
  at = message.writeUInt16BE(events.length, at);
  at = writeText8(message, epoch, at);
  for (const { event, user, ends, frame } of events) {
    at = writeText8(message, event, at);
    at = writeText16(message, user, at);
    at = writeText8(message, ends ?? '', at);
    at = message.writeUInt32BE(frame.length, at);
  }
  for (const { frame } of events) at += frame.copy(message, at);
  return message;
}

export function encodeSignal(origin: Buffer, { audience, key, frame, source = '', lapse }: Signal): Buffer {
  const user = audience.kind === 'user' ? audience.user : audience.kind === 'room' ? (audience.exceptUser ?? null) : null;
  const lapseBytes = lapse?.frame.length ?? 0;
  const headBytes = BODY_AT + 14 + Buffer.byteLength(user ?? '') + Buffer.byteLength(key) + Buffer.byteLength(source);
  const message = Buffer.allocUnsafe(headBytes + lapseBytes + frame.length);
  let at = writeHead(message, SIGNAL, origin);
  at = message.writeUInt8(AUDIENCES.indexOf(audience.kind), at);
  at = writeText16(message, user, at);
  at = writeText16(message, key, at);
  at = writeText8(message, source, at);
  at = message.writeUInt32BE(lapse?.afterMs ?? 0, at);
  at = message.writeUInt32BE(lapseBytes, at);
  if (lapse) at += lapse.frame.copy(message, at);
  frame.copy(message, at);
  return message;
}

export function encodeAct(origin: Buffer, recorded: RecordedAct): Buffer {
  return encodeJson(ACT, origin, recorded);
}

export function encodeQuestion(origin: Buffer, question: Question): Buffer {
  return encodeJson(QUESTION, origin, question);
}

export function encodeAnswer(origin: Buffer, answer: Answer): Buffer {
  return encodeJson(ANSWER, origin, answer);
}

export function encodeTraces(origin: Buffer, traces: NoteTraces): Buffer {
  return encodeJson(TRACES, origin, traces);
}

function encodeJson(kind: number, origin: Buffer, value: object): Buffer {
  const head = Buffer.allocUnsafe(BODY_AT);
  writeHead(head, kind, origin);
  return Buffer.concat([head, Buffer.from(JSON.stringify(value))]);
}

/** @returns null for what is no message of this version. Never throws, whatever the bytes. Frames share the message's memory. */
export function decode(message: Buffer): BusMessage | null {
  try {
    if (message.length < BODY_AT || message[0] !== VERSION) return null;
    if (message[1] === NOTE) return decodeNote(message);
    if (message[1] === SIGNAL) return decodeSignal(message);
    return decodeJson(message[1]!, JSON.parse(message.toString('utf8', BODY_AT)));
  } catch {
    return null; // shorter than it says, or no JSON where that should be
  }
}

function decodeNote(message: Buffer): BusMessage | null {
  const reader = new Reader(message, BODY_AT);
  const headSeq = reader.double();
  const count = reader.uint16();
  if (!Number.isSafeInteger(headSeq) || headSeq < count) return null;
  const epoch = reader.text8();
  const heads = Array.from({ length: count }, () => ({
    // A newer release may know more of both: they are handed on as they are.
    event: reader.text8() as DurableEvent,
    user: reader.text16(),
    ends: (reader.text8() || null) as ClosedReason | null,
    bytes: reader.uint32(),
  }));
  const first = headSeq - count + 1;
  const events = heads.map(({ event, user, ends, bytes }, index): LogEvent => ({
    seq: first + index,
    event,
    user,
    ends,
    frame: reader.bytes(bytes),
  }));
  return reader.isAtEnd ? { kind: 'note', note: { epoch, headSeq, events } } : null;
}

function decodeSignal(message: Buffer): BusMessage | null {
  const reader = new Reader(message, BODY_AT);
  const audience = AUDIENCES[reader.uint8()];
  const user = reader.text16();
  const key = reader.text16();
  if (audience === undefined || key === null || (audience === 'user' && user === null)) return null;
  const source = reader.text8();
  const afterMs = reader.uint32();
  const lapseFrame = reader.bytes(reader.uint32());
  const signal = { key, frame: reader.rest(), ...(source && { source }), ...(afterMs > 0 && { lapse: { afterMs, frame: lapseFrame } }) };
  return { kind: 'signal', audience, user, signal };
}

function decodeJson(kind: number, value: unknown): BusMessage | null {
  if (typeof value !== 'object' || value === null) return null;
  if (kind === ACT) return isAct(value) ? { kind: 'act', recorded: value } : null;
  if (kind === QUESTION) return isQuestion(value) ? { kind: 'question', question: value } : null;
  if (kind === TRACES) return isTraces(value) ? { kind: 'traces', traces: value } : null;
  return kind === ANSWER && isAnswer(value) ? { kind: 'answer', answer: value } : null;
}

function isAct(value: object): value is RecordedAct {
  const { id, xid, act } = value as Record<string, unknown>;
  return typeof id === 'string' && typeof xid === 'string' && typeof act === 'object' && act !== null && 'kind' in act;
}

function isQuestion(value: object): value is Question {
  const { id, kind, ask } = value as Record<string, unknown>;
  return typeof id === 'string' && typeof kind === 'string' && ask !== undefined;
}

function isAnswer(value: object): value is Answer {
  const { question, instance, answer } = value as Record<string, unknown>;
  return typeof question === 'string' && typeof instance === 'string' && answer !== undefined;
}

function isTraces(value: object): value is NoteTraces {
  const { headSeq, traceparents } = value as Record<string, unknown>;
  return Number.isSafeInteger(headSeq) && Array.isArray(traceparents) && traceparents.every(isSeqAndText);
}

function isSeqAndText(pair: unknown): boolean {
  return Array.isArray(pair) && Number.isSafeInteger(pair[0]) && typeof pair[1] === 'string';
}

function writeHead(message: Buffer, kind: number, origin: Buffer): number {
  message[0] = VERSION;
  message[1] = kind;
  return ORIGIN_AT + origin.copy(message, ORIGIN_AT);
}

function writeText8(message: Buffer, text: string, at: number): number {
  const bytes = message.write(text, at + 1);
  message.writeUInt8(bytes, at);
  return at + 1 + bytes;
}

function writeText16(message: Buffer, text: string | null, at: number): number {
  if (text === null) return message.writeUInt16BE(NONE, at);
  const bytes = message.write(text, at + 2);
  message.writeUInt16BE(bytes, at);
  return at + 2 + bytes;
}

/** Reads one after the other. @throws {RangeError} behind the end */
class Reader {
  constructor(
    private readonly message: Buffer,
    private at: number,
  ) {}

  get isAtEnd(): boolean {
    return this.at === this.message.length;
  }

  uint8(): number {
    return this.message.readUInt8(this.#step(1));
  }

  uint16(): number {
    return this.message.readUInt16BE(this.#step(2));
  }

  uint32(): number {
    return this.message.readUInt32BE(this.#step(4));
  }

  double(): number {
    return this.message.readDoubleBE(this.#step(8));
  }

  text8(): string {
    return this.bytes(this.uint8()).toString('utf8');
  }

  text16(): string | null {
    const length = this.uint16();
    return length === NONE ? null : this.bytes(length).toString('utf8');
  }

  bytes(length: number): Buffer {
    const start = this.#step(length);
    return this.message.subarray(start, this.at);
  }

  rest(): Buffer {
    return this.bytes(this.message.length - this.at);
  }

  #step(length: number): number {
    const start = this.at;
    if (start + length > this.message.length) throw new RangeError('the message ends too early');
    this.at += length;
    return start;
  }
}
