import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawFrame {
  opcode: number;
  payload: Buffer;
}

/** One masked frame as a client sends it, well-formed or not. */
export function maskedFrame(opcode: number, payload: Buffer | string, isFinal = true): Buffer {
  const data = Buffer.from(payload);
  const length = data.length;
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + size);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  head[1] = 0x80 | (size === 0 ? length : size === 2 ? 126 : 127);
  if (size === 2) head.writeUInt16BE(length, 2);
  if (size === 8) head.writeBigUInt64BE(BigInt(length), 2);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, data.map((byte, index) => byte ^ mask[index % 4]!)]);
}

/** A WebSocket client on a bare TCP socket, for what no library would do: it sends any bytes, and reads only when it is told to. */
export class RawSocket {
  /** Of the HTTP answer: the status line and the headers. */
  head = '';
  readonly frames: RawFrame[] = [];
  /** Resolves when the TCP connection is over. */
  readonly closed: Promise<void>;
  #bytes: Buffer = Buffer.alloc(0);
  #isOpen = false;

  private constructor(readonly socket: Socket) {
    socket.on('error', () => {}); // 'close' follows
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
      this.#read();
    });
  }

  /** Sends the upgrade request, and does not wait for its answer. */
  static async begin(wsUrl: string, headers: Record<string, string>): Promise<RawSocket> {
    const { hostname, port, pathname, search } = new URL(wsUrl);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    const raw = new RawSocket(socket);
    const lines = Object.entries({
      Host: `${hostname}:${port}`,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      ...headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`);
    return raw;
  }

  static async open(wsUrl: string, token: string): Promise<RawSocket> {
    const raw = await RawSocket.begin(wsUrl, { Authorization: `Bearer ${token}` });
    await raw.until(() => raw.json().some(({ event }) => event === 'hello'));
    return raw;
  }

  /** The text frames that came. */
  json(): { id?: number; event: string; room?: string; seq?: number; data: Record<string, unknown> }[] {
    return this.frames.filter(({ opcode }) => opcode === OPCODES.text).map(({ payload }) => JSON.parse(payload.toString()) as never);
  }

  /** The code of the close frame that came. */
  get closeCode(): number | undefined {
    return this.frames.find(({ opcode }) => opcode === OPCODES.close)?.payload.readUInt16BE(0);
  }

  /** Waits for what comes next until the condition holds. @throws when the connection ends before */
  async until(condition: () => boolean): Promise<void> {
    let ended = false;
    void this.closed.then(() => (ended = true));
    while (!condition()) {
      if (ended) throw new Error(`the connection ended; the answer was ${this.head}`);
      await new Promise((done) => setTimeout(done, 5));
    }
  }

  send(opcode: number, payload: Buffer | string, isFinal = true): void {
    this.socket.write(maskedFrame(opcode, payload, isFinal));
  }

  command(id: number, event: string, data: object): void {
    this.send(OPCODES.text, JSON.stringify({ id, event, data }));
  }

  #read(): void {
    if (!this.#isOpen) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end === -1) return;
      this.head = this.#bytes.subarray(0, end).toString();
      this.#bytes = this.#bytes.subarray(end + 4);
      this.#isOpen = true;
    }
    while (this.head.startsWith('HTTP/1.1 101') && this.#readFrame());
  }

  #readFrame(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const short = bytes[1]! & 0x7f;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < start) return false;
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    if (bytes.length < start + length) return false;
    this.frames.push({ opcode: bytes[0]! & 0x0f, payload: bytes.subarray(start, start + length) });
    this.#bytes = bytes.subarray(start + length);
    return true;
  }
}
