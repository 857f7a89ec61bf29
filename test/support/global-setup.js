import '../../scripts/typescript.js';

// Jest loads this file itself, without its transforms: the TypeScript behind it comes through ours.
export default async function globalSetup() {
  const { TestPostgres } = await import('./test-postgres.ts');
  const server = await TestPostgres.start();
  globalThis.__testPostgres = server;
  Object.assign(process.env, server.environment);
}
