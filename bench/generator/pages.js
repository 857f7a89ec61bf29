import { Agent, request } from 'node:http';
import { quantile } from '../measure.js';

/**
 * Asks for pages of history over HTTP, `atOnce` at a time, for `warmUpMs`, then for `ms`.
 * @param paths asked for in turn
 * @returns how many came in `ms`, and their latencies in milliseconds, from the request's writing to the answer's last byte
 * @throws when an answer is not 200, or has not `items` messages
 */
export async function askForPages({ port, token, paths, atOnce, warmUpMs, ms, items }) {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const latenciesMs = [];
  const warm = performance.now() + warmUpMs;
  const until = warm + ms;
  let asked = 0;
  const worker = async () => {
    while (performance.now() < until || latenciesMs.length === 0) {
      const from = performance.now();
      const body = await get({
        agent,
        host: '127.0.0.1',
        port,
        path: paths[asked++ % paths.length],
        headers: { authorization: `Bearer ${token}` },
      });
      if (from > warm) latenciesMs.push(performance.now() - from);
      const got = body.split('"lastSeq":').length - 1;
      if (got !== items) throw new Error(`a page of ${got} messages in place of ${items}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, worker));
  } finally {
    agent.destroy();
  }
  return { pages: latenciesMs.length, p50: quantile(latenciesMs, 0.5), p99: quantile(latenciesMs, 0.99) };
}

function get(options) {
  return new Promise((resolve, reject) => {
    const asking = request(options, (response) => {
      let body = '';
      response.setEncoding('latin1').on('data', (text) => (body += text));
      response.on('end', () => (response.statusCode === 200 ? resolve(body) : reject(new Error(`${response.statusCode} ${body}`))));
    });
    asking.once('error', reject).end();
  });
}
