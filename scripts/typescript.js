// Lets plain Node import this repository's TypeScript as it stands: `node --import ./scripts/typescript.js file.ts`.
// For tools and tests only; the server runs from its build.
import { register } from 'node:module';

register('./typescript-hooks.js', import.meta.url);
