// `npm run bench`: Parley beside what one would take instead, on the same load, in one run; prints one table.
//   --only=one-room,idle   these works alone            --quick      small and short: shows that it runs, not how fast
//   --seconds=5            measured, after two to warm up   --profile=DIR  each server leaves a CPU profile there
//   --metrics              Parley a second time in each work, with METRICS=true: what they cost
//   --markdown             writes the table into docs/benchmarks.md     --json=FILE  the figures
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Backing } from './backing.js';
import { leaveServerCore } from './cores.js';
import { Load } from './load.js';
import { parley, parleyMeasured } from './peers/parley.js';
import { Servers } from './peers/servers.js';
import { describeMachine, markdownTable, writeIntoDocs } from './report.js';
import { connect, idle } from './works/connections.js';
import { across, manyRooms, oneRoom, oneSender } from './works/fan-out.js';
import { roomGrowth, roomsGrowth } from './works/growth.js';
import { history } from './works/history.js';

const WORKS = [oneRoom, oneSender, manyRooms, idle, connect, across, history, roomGrowth, roomsGrowth];
/** Sockets of the largest work, at either end, and all else that is open. */
const FILES = 6_000;
/** Of what a server wrote, when its work failed. */
const SAID_CHARS = 3_000;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '5' },
    profile: { type: 'string' },
    metrics: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const works = options.only ? options.only.split(',').map(workNamed) : WORKS;
assertFiles();
leaveServerCore();

const backing = await Backing.start();
const load = new Load();
const servers = new Servers({ backing, profile: options.profile, keep: options.quick });
const window = options.quick ? { seconds: 0.2, warmUp: 0.1 } : { seconds: Number(options.seconds), warmUp: 2 };
const context = { load, window, settleMs: options.quick ? 0 : 4_000, closingMs: options.quick ? 100 : 500 };
const rows = [];
try {
  for (const work of works) rows.push(...(await runWork(work)));
  const table = markdownTable(rows);
  const machine = describeMachine(await backing.postgresVersion());
  console.log(`\n${machine}\n\n${table}`);
  if (options.markdown) writeIntoDocs(machine, table);
  if (options.json)
    writeFileSync(
      options.json,
      JSON.stringify(rows, (key, value) => (key === 'of' ? undefined : value)),
    );
} finally {
  await servers.stop();
  load.stop();
  await backing.stop();
}

/** @returns the rows of all its peers; what became of its targets is in Parley's last. */
async function runWork(work) {
  const ofWork = [];
  for (const peer of peersOf(work)) {
    console.error(`${work.name}: ${peer.name}…`);
    const measured = await runPeer(work, peer);
    ofWork.push(...measured.map((row) => ({ work: work.name, title: work.title, of: peer, ...row })));
  }
  const judged = ofWork.filter(({ of }) => of !== parleyMeasured);
  judged.findLast(({ of }) => of === parley).targets = work.judge(judged);
  return ofWork;
}

/** One that fails is a row that says so, and the rest goes on. */
async function runPeer(work, peer) {
  const running = await servers.start(peer, options.quick ? mostInstances(peer) : instancesOf(work));
  try {
    return await work.run({ context, peer, running }, { quick: options.quick });
  } catch (error) {
    process.exitCode = 1;
    for (const { output } of running.servers) console.error(output.slice(-SAID_CHARS));
    console.error(error);
    await load.ask('close');
    return [{ peer: peer.name, remark: `**FAILED: ${error.message}**` }];
  } finally {
    await servers.done(running);
  }
}

/** The measured Parley comes right behind the other, so that both meet the machine in the same mood. */
function peersOf({ peers }) {
  return options.metrics ? peers.flatMap((peer) => (peer === parley ? [parley, parleyMeasured] : [peer])) : peers;
}

function instancesOf({ instances = 1 }) {
  return instances;
}

/** Servers that serve on in the next work are as many as one of them needs. */
function mostInstances(peer) {
  return Math.max(...works.filter((work) => peersOf(work).includes(peer)).map(instancesOf));
}

function workNamed(name) {
  const work = WORKS.find((one) => one.name === name);
  if (!work) throw new Error(`no work is named ${name}: there are ${WORKS.map((one) => one.name).join(', ')}`);
  return work;
}

function assertFiles() {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  if (options.quick || limit === 'unlimited' || Number(limit) >= FILES) return;
  console.error(`The bench opens up to ${FILES} files a process, and this shell allows ${limit}: raise it by \`ulimit -n ${FILES}\`.`);
  process.exit(1);
}
