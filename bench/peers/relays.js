import { ServerProcess } from './server-process.js';

/** A peer that stores nothing: nothing has to be there before its clients come. */
class Relay {
  constructor(servers) {
    this.servers = servers;
  }

  async prepare() {}

  token() {}

  async verify() {}

  async stop() {
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}

function startAll(instances, options) {
  return Promise.all(Array.from({ length: instances }, (_, index) => ServerProcess.start({ ...options, index })));
}

/** What the library alone can do. */
export const wsRelay = {
  name: 'bare ws',
  dialect: 'ws-relay',
  async start({ profile }) {
    return new Relay(await startAll(1, { script: new URL('./ws-relay-server.js', import.meta.url), env: {}, profile }));
  },
};

export const socketIo = {
  name: 'Socket.IO + Redis',
  dialect: 'socket-io',
  async start({ backing, instances, profile, runId }) {
    const env = { REDIS_URL: backing.redisUrl, REDIS_PREFIX: `sio-${runId}`, NODE_ENV: 'production' };
    return new Relay(await startAll(instances, { script: new URL('./socket-io-server.js', import.meta.url), env, profile }));
  },
};
