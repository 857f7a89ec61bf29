import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const SAID_CHARS = 100_000;

/**
 * Stands between a program and a TCP server, and can cut it off: `down` resets what is open and refuses what comes, `up` lets it pass
 * again. `stall` keeps what the program sends to itself, without a word, until `flow`. `freeze` keeps all, on new connections too, until `thaw`.
 */
export class TcpProxy {
  readonly #pairs = new Set<Socket>();
  readonly #ways = new Map<Socket, Socket>();
  /** What each program said first, by its connection to the server. */
  readonly #said = new Map<Socket, string>();
  #isUp = true;
  #isFrozen = false;

  private constructor(private readonly server: Server) {}

  static async to(host: string, port: number): Promise<TcpProxy> {
    const server = createServer((client) => proxy.#join(client, connect(port, host)));
    const proxy = new TcpProxy(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  down(): void {
    this.#isUp = false;
    for (const socket of this.#pairs) socket.resetAndDestroy();
  }

  up(): void {
    this.#isUp = true;
  }

  stall(): void {
    for (const [client, target] of this.#ways) {
      client.unpipe(target);
      client.pause();
    }
  }

  flow(): void {
    for (const [client, target] of this.#ways) client.pipe(target);
  }

  freeze(): void {
    this.#isFrozen = true;
    this.stall();
    this.deafen();
  }

  thaw(): void {
    if (!this.#isFrozen) return;
    this.#isFrozen = false;
    for (const [client, target] of this.#ways) client.pipe(target).pipe(client);
  }

  /** The ports, on the server's side, of the open connections over which a program has sent this, among the first that it sent. */
  portsThatSent(text: RegExp): number[] {
    return [...this.#said].filter(([, said]) => text.test(said)).map(([target]) => target.localPort!);
  }

  /** Whether the connection that has this port on the server's side is open. */
  has(port: number): boolean {
    return [...this.#ways.values()].some(({ localPort }) => localPort === port);
  }

  /**
   * Keeps what the server sends to itself: the program is deaf, and its connections look well. Those made later are not.
   * @param port of one connection, on the server's side; all without it
   */
  deafen(port?: number): void {
    for (const [client, target] of this.#ways) {
      if (port !== undefined && target.localPort !== port) continue;
      target.unpipe(client);
      target.pause();
    }
  }

  async close(): Promise<void> {
    this.down();
    this.server.close();
    await once(this.server, 'close');
  }

  #join(client: Socket, target: Socket): void {
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      this.#pairs.add(socket);
      socket.on('error', () => {}); // 'close' follows
      socket.once('close', () => {
        this.#pairs.delete(socket);
        this.#ways.delete(client);
        this.#said.delete(target);
        other.destroy();
      });
    }
    if (!this.#isUp) return void client.resetAndDestroy();
    this.#ways.set(client, target);
    this.#said.set(target, '');
    client.on('data', (bytes) => this.#note(target, bytes.toString('latin1')));
    // A listener lets it flow: who is frozen is not heard.
    client.pause();
    if (!this.#isFrozen) client.pipe(target).pipe(client);
  }

  #note(target: Socket, text: string): void {
    const said = this.#said.get(target);
    if (said !== undefined && said.length < SAID_CHARS) this.#said.set(target, said + text);
  }
}
