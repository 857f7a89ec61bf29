import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { driverErrorOf, sqlState } from '../database/database-error.js';
import { Sql } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { AccountEntity } from './account.entity.js';
import { LoginLimits } from './login-limits.js';
import { PasswordHasher } from './password-hasher.js';
import { FIND_ACCOUNT } from './session-statements.js';
import { SessionsService, type TokenPair } from './sessions.service.js';
import { UserEntity } from './user.entity.js';
import { USERNAME } from './username.js';

interface AccountRow {
  user_id: string;
  password_hash: string;
}

const UNIQUE_VIOLATION = '23505';

/** Accounts of users who have no other identity provider. */
@Injectable()
export class AccountsService {
  constructor(
    private readonly sql: Sql,
    private readonly hasher: PasswordHasher,
    private readonly sessions: SessionsService,
    private readonly limits: LoginLimits,
  ) {}

  /** Makes the account and logs in. @throws {ChatError} `conflict` when the username is taken, in any case; `rate_limited` */
  async register(account: { username: string; password: string; name?: string }, address: string): Promise<TokenPair> {
    await this.limits.attemptRegistration(address);
    const passwordHash = await this.hasher.hash(account.password);
    return this.sessions.open(await this.#create(account.username, account.name ?? account.username, passwordHash));
  }

  /**
   * An unknown username and a wrong password are told apart neither by words nor by time.
   * @throws {ChatError} `unauthenticated`, `forbidden` (banned or disabled; only told to who knows the password), `rate_limited`
   */
  async login({ username, password }: { username: string; password: string }, address: string): Promise<TokenPair> {
    await this.limits.attemptLogin(username, address);
    // Else one account would be found under several names, each of which has its own count of attempts.
    const [account] = USERNAME.test(username) ? await this.sql.query<AccountRow>(FIND_ACCOUNT, [username]) : [];
    const matches = await this.hasher.verify(account?.password_hash ?? null, password);
    if (!account || !matches) throw new ChatError('unauthenticated', 'The username or the password is wrong.');
    await this.limits.loggedIn(username, address);
    return this.sessions.open(account.user_id);
  }

  async #create(username: string, name: string, passwordHash: string): Promise<string> {
    const user: UserEntity = {
      id: uuidv7(),
      name,
      status: 'online',
      lastSeenAt: null,
      bannedAt: null,
      roles: [],
      disabledAt: null,
      createdAt: new Date(),
    };
    try {
      await this.sql.transaction(async (manager) => {
        await manager.insert(UserEntity, user);
        await manager.insert(AccountEntity, { userId: user.id, username, passwordHash, createdAt: user.createdAt });
      });
    } catch (error) {
      if (sqlState(driverErrorOf(error)) === UNIQUE_VIOLATION) throw new ChatError('conflict', 'The username is taken.');
      throw error;
    }
    return user.id;
  }
}
