import { Initial1764000000000 } from './migrations/1764000000000-initial.js';
import { ManyInstances1765000000000 } from './migrations/1765000000000-many-instances.js';
import { Identity1766200000000 } from './migrations/1766200000000-identity.js';
import { Administration1766400000000 } from './migrations/1766400000000-administration.js';
import { AuditLog1766500000000 } from './migrations/1766500000000-audit-log.js';
import { RoomsPerUser1766550000000 } from './migrations/1766550000000-rooms-per-user.js';
import { Moderation1768000000000 } from './migrations/1768000000000-moderation.js';
import { AuditSearchPath1768150000000 } from './migrations/1768150000000-audit-search-path.js';
import { AuditHead1768250000000 } from './migrations/1768250000000-audit-head.js';
import { ReportDecisions1768300000000 } from './migrations/1768300000000-report-decisions.js';
import { IdempotentAdministration1768400000000 } from './migrations/1768400000000-idempotent-administration.js';
import { ExactRevocation1769000000000 } from './migrations/1769000000000-exact-revocation.js';
import { KeyParents1769100000000 } from './migrations/1769100000000-key-parents.js';
import { KeyMakers1769200000000 } from './migrations/1769200000000-key-makers.js';
import { TokenIssuers1769250000000 } from './migrations/1769250000000-token-issuers.js';
import { GuestMessages1769300000000 } from './migrations/1769300000000-guest-messages.js';
import { Searches1769410000000 } from './migrations/1769410000000-searches.js';
import { RemovedTexts1769420000000 } from './migrations/1769420000000-removed-texts.js';
import { SeenAdministrators1769510000000 } from './migrations/1769510000000-seen-administrators.js';
import { AuditOrder1769520000000 } from './migrations/1769520000000-audit-order.js';
import { ForgottenTexts1769530000000 } from './migrations/1769530000000-forgotten-texts.js';

/** Every migration, oldest first. One is added here by hand, so that nothing runs because a file lies in a folder. */
export const MIGRATIONS = [
  Initial1764000000000,
  ManyInstances1765000000000,
  Identity1766200000000,
  Administration1766400000000,
  AuditLog1766500000000,
  RoomsPerUser1766550000000,
  Moderation1768000000000,
  AuditSearchPath1768150000000,
  AuditHead1768250000000,
  ReportDecisions1768300000000,
  IdempotentAdministration1768400000000,
  ExactRevocation1769000000000,
  KeyParents1769100000000,
  KeyMakers1769200000000,
  TokenIssuers1769250000000,
  GuestMessages1769300000000,
  Searches1769410000000,
  RemovedTexts1769420000000,
  SeenAdministrators1769510000000,
  AuditOrder1769520000000,
  ForgottenTexts1769530000000,
];
