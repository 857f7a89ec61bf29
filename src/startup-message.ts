import { randomBytes } from 'node:crypto';
import { ConfigError } from './config/settings.js';
import { DataFolderInUse } from './database/data-lock.js';
import { reasonOf } from './database/database-reason.js';
import type { ServerFacts } from './server.js';
import { MetricsPortRefused } from './telemetry/metrics-port.js';
import { WorkerEnded } from './workers.js';

/** What a person wants to know of a server that has just started. */
export function welcome({ config, port, dataDir, postgresRunsAs }: ServerFacts): string {
  const host = ['0.0.0.0', '::', ''].includes(config.host) ? 'localhost' : config.host.includes(':') ? `[${config.host}]` : config.host;
  const base = `http://${host}:${port}`;
  // A new name and password each time: what is pasted works, also when the last one has been.
  const account = JSON.stringify({ username: `ada-${randomBytes(3).toString('hex')}`, password: randomBytes(12).toString('base64url') });
  return [
    'Parley is ready.',
    `  API     ${base}/v1`,
    ...(config.docs ? [`  Docs    ${base}/docs`] : []),
    `  Socket  ws://${host}:${port}/ws`,
    ...(dataDir === undefined ? [] : [`  Data    ${dataDir} (embedded PostgreSQL, running as ${postgresRunsAs})`]),
    '',
    'Get a token (accessToken in the answer):',
    `  curl -s ${base}/v1/auth/register -H 'content-type: application/json' -d '${account}'`,
    '',
    '',
  ].join('\n');
}

/**
 * Why the server cannot start, for the operator: what is wrong in a line or a few; a stack only for what nobody foresaw. Empty when a
 * worker has said it already.
 */
export function farewell(error: unknown): string {
  if (error instanceof WorkerEnded) return error.isExplained ? '' : `Parley cannot start: ${error.message}\n`;
  if (error instanceof ConfigError) return `Parley cannot start. Settings that are wrong:\n${indent(error.message)}\n`;
  if (error instanceof DataFolderInUse) return `Parley cannot start: ${error.message}\n`;
  const isOfMetrics = error instanceof MetricsPortRefused;
  const { code, syscall, port } = ((isOfMetrics ? error.cause : error) ?? {}) as { code?: string; syscall?: string; port?: number };
  // A worker's port is bound for it by the primary.
  const isOfPort = syscall === 'listen' || (syscall === 'bind' && port !== undefined);
  const setting = isOfMetrics ? 'METRICS_PORT' : 'PORT';
  if (isOfPort && code === 'EADDRINUSE') return `Parley cannot start: port ${port} is in use. Set ${setting} to another one.\n`;
  if (isOfPort) return `Parley cannot start: it cannot listen on port ${port} (${code})\n`;
  if (error instanceof Error && code === undefined && error.constructor !== Error && !(error instanceof AggregateError)) {
    return `Parley cannot start: ${error.stack ?? error.message}\n`;
  }
  return `Parley cannot start: ${reasonOf(error)}\n`;
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}
