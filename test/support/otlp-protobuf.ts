import type { ReceivedSpan } from './otlp-receiver.js';

/**
 * Reads an ExportTraceServiceRequest (opentelemetry-proto, trace/v1) by the numbers of its fields: as much of it as `ReceivedSpan` has.
 */
export function readProtobufSpans(body: Buffer): ReceivedSpan[] {
  return messages(read(body), 1).flatMap((resourceSpans) => {
    const resource = Object.assign({}, ...messages(resourceSpans, 1).map(attributesOf(1))) as ReceivedSpan['resource'];
    return messages(resourceSpans, 2).flatMap((scopeSpans) => messages(scopeSpans, 2).map((span) => spanOf(span, resource)));
  });
}

type Fields = Map<number, (Buffer | bigint)[]>;

function spanOf(span: Fields, resource: ReceivedSpan['resource']): ReceivedSpan {
  return {
    traceId: bytes(span, 1).toString('hex'),
    spanId: bytes(span, 2).toString('hex'),
    parentSpanId: bytes(span, 4).toString('hex'),
    name: bytes(span, 5).toString(),
    kind: Number(integer(span, 6)),
    startNs: integer(span, 7),
    endNs: integer(span, 8),
    attributes: attributesOf(9)(span),
    status: Number(messages(span, 15).map((status) => integer(status, 3))[0] ?? 0n),
    resource,
  };
}

function attributesOf(field: number): (holder: Fields) => Record<string, string | number> {
  return (holder) =>
    Object.fromEntries(
      messages(holder, field).map((pair) => {
        const value = messages(pair, 2)[0]!;
        return [bytes(pair, 1).toString(), value.has(1) ? bytes(value, 1).toString() : Number(integer(value, 3))];
      }),
    );
}

function messages(fields: Fields, field: number): Fields[] {
  return (fields.get(field) ?? []).map((value) => read(value as Buffer));
}

function bytes(fields: Fields, field: number): Buffer {
  return (fields.get(field)?.[0] as Buffer | undefined) ?? Buffer.alloc(0);
}

function integer(fields: Fields, field: number): bigint {
  return (fields.get(field)?.[0] as bigint | undefined) ?? 0n;
}

/** https://protobuf.dev/programming-guides/encoding/ */
function read(buffer: Buffer): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = buffer.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number): Buffer => buffer.subarray(at, (at += length));
  while (at < buffer.length) {
    const tag = Number(varint());
    const type = tag & 7;
    if (type !== 0 && type !== 1 && type !== 2 && type !== 5) throw new Error(`no such wire type: ${type}`);
    const value =
      type === 0 ? varint() : type === 1 ? take(8).readBigUInt64LE() : type === 5 ? BigInt(take(4).readUInt32LE()) : take(Number(varint()));
    fields.set(tag >>> 3, [...(fields.get(tag >>> 3) ?? []), value]);
  }
  return fields;
}
