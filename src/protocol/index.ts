export * from './close-codes.js';
export * from './commands.js';
export * from './errors.js';
export * from './events.js';
export * from './frames.js';
export * from './limits.js';
export * from './reserved-ids.js';
export * from './text.js';
