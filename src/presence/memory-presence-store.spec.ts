import { describePresenceStore } from '../../test/contracts/presence-store.contract.js';
import { MemoryPresenceStore } from './memory-presence-store.js';

describePresenceStore('memory', () => Promise.resolve({ store: new MemoryPresenceStore() }));
