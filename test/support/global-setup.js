import '../../scripts/typescript.js';

// Jest loads this file itself, without its transforms: the TypeScript behind it comes through ours.
export default async function globalSetup() {
  const { TestPostgres } = await import('./test-postgres.ts');
  const { findRedisServer } = await import('./redis-server.ts');
  const { GivenRedis } = await import('./given-redis.ts');
  // Once for all, before the first test would have to wait for its installation.
  if (GivenRedis.isThere) await GivenRedis.check();
  else findRedisServer();
  const server = await TestPostgres.start();
  globalThis.__testPostgres = server;
  Object.assign(process.env, server.environment);
}
