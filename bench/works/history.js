import { parley } from '../peers/parley.js';
import { growthAtMost, worstAtMost } from '../targets.js';
import { enter, makeRooms, sharesOf } from './chat.js';

const PAGE = 50;
const AT_ONCE = 8;

/** Pages of one room of two million messages, by REST, eight asked for at once. */
export const history = {
  name: 'history',
  title: 'history page of 50 of 2 million, 8 at once',
  peers: [parley],
  async run({ context, peer, running }, { quick }) {
    const messages = quick ? 2_000 : 2_000_000;
    const rooms = makeRooms(1);
    const { token, port } = enter(0, rooms, { port: running.servers[0].port, running });
    await running.prepare(rooms, { messages });
    const ask = async (label, query) => {
      const paths = [`/v1/rooms/${rooms[0].id}/messages?limit=${PAGE}${query}`];
      const { seconds, warmUp } = context.window;
      const [{ pages, p50, p99 }, measured] = await Promise.all([
        context.load.ask('pages', { port, token, paths, atOnce: AT_ONCE, warmUpMs: warmUp * 1_000, ms: seconds * 1_000, items: PAGE }),
        context.load.measure({ processes: running.servers, seconds, warmUp }),
      ]);
      return { peer: `${peer.name}, ${label}`, pages, p50, p99, ...sharesOf(measured), remark: `${Math.round(pages / seconds)} pages/s` };
    };
    return [await ask('newest', ''), await ask('middle', `&around=${messages / 2}`), await ask('deepest', `&before=${PAGE + 1}`)];
  },
  judge: (rows) => [worstAtMost('p99 ms', rows, 'p99', 5), growthAtMost('p50, slowest ÷ newest', rows, 'p50', 1.2)],
};
