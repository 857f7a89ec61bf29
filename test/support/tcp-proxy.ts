import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * Stands between a program and a TCP server, and can cut it off: `down` resets what is open and refuses what comes, `up` lets it pass
 * again. `stall` keeps what the program sends to itself, without a word, until `flow`.
 */
export class TcpProxy {
  readonly #pairs = new Set<Socket>();
  readonly #ways = new Map<Socket, Socket>();
  #isUp = true;

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
        other.destroy();
      });
    }
    if (!this.#isUp) return void client.resetAndDestroy();
    this.#ways.set(client, target);
    client.pipe(target).pipe(client);
  }
}
