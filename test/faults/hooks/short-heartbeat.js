// Loaded before the server by `node --import`: it pings each FAULT_HEARTBEAT_MS, so that a test need not wait for a minute.
import { TIMES } from '../../../dist/src/protocol/limits.js';

TIMES.heartbeatMs = Number(process.env.FAULT_HEARTBEAT_MS);
