import { Logger } from '@nestjs/common';
import cluster from 'node:cluster';
import { readEnvironment } from './config/environment.js';
import { Server } from './server.js';
import { farewell, welcome } from './startup-message.js';
import { STOP } from './workers.js';

const server = new Server();
const logger = new Logger('Process');

async function stop(exitCode: number): Promise<never> {
  process.exitCode = exitCode;
  try {
    await server.stop();
  } catch (error) {
    logger.error({ err: error }, 'Could not stop in good order');
    process.exitCode = 1;
    server.stopAtExit();
  }
  process.exit();
}

/** A terminal's Ctrl-C may come twice at once, from the terminal and from npm. */
const SAME_PRESS_MS = 500;
let askedAt: number | undefined;

function onSignal(): void {
  // A terminal or a service manager signals all processes at once: a worker waits for what its primary makes of it.
  if (cluster.isWorker) return;
  if (askedAt === undefined) {
    askedAt = Date.now();
    void stop(0);
  } else if (Date.now() - askedAt > SAME_PRESS_MS) {
    // Who asks again does not want to wait.
    server.stopAtExit();
    process.exit(1);
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
if (cluster.isWorker) process.on('message', (message) => message === STOP && void stop(0));

// A promise that nobody waited for fails alone; what escapes a callback may have left anything half done.
process.on('unhandledRejection', (reason) => logger.error({ err: reason }, 'Unhandled rejection'));
process.on('uncaughtException', (error) => {
  logger.fatal({ err: error }, 'Uncaught exception');
  server.stopAtExit();
  process.exit(1);
});

try {
  const facts = await server.start(readEnvironment(), (reason) => {
    logger.fatal(`The embedded PostgreSQL ended by itself (${reason}); see postgres.log in the data folder`);
    void stop(1);
  });
  if (cluster.isPrimary) process.stdout.write(welcome(facts));
} catch (error) {
  // After a signal the start breaks off, and the signal's own stop ends the process.
  if (process.exitCode === undefined) {
    process.stderr.write(farewell(error));
    await stop(1);
  }
}
