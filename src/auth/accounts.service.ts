import { Injectable } from '@nestjs/common';
import { QueryFailedError } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Sql } from '../database/sql.js';
import { ChatError } from '../errors/chat-error.js';
import { AccountEntity } from './account.entity.js';
import { LoginLimits } from './login-limits.js';
import { PasswordHasher } from './password-hasher.js';
import { bannedUser, disabledUser } from './revocations.js';
import { FIND_ACCOUNT } from './session-statements.js';
import { SessionsService, type TokenPair } from './sessions.service.js';
import { UserEntity } from './user.entity.js';
import { type UserRow, userView, type UserView } from './user-directory.js';

interface AccountRow extends UserRow {
  password_hash: string;
  roles: string[];
  banned: boolean;
  disabled: boolean;
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
    const user = await this.#create(account.username, account.name ?? account.username, passwordHash);
    return this.sessions.open(user, []);
  }

  /**
   * An unknown username and a wrong password are told apart neither by words nor by time.
   * @throws {ChatError} `unauthenticated`, `forbidden` (banned or disabled; only told to who knows the password), `rate_limited`
   */
  async login({ username, password }: { username: string; password: string }, address: string): Promise<TokenPair> {
    await this.limits.attemptLogin(username, address);
    const [account] = await this.sql.query<AccountRow>(FIND_ACCOUNT, [username]);
    const matches = await this.hasher.verify(account?.password_hash ?? null, password);
    if (!account || !matches) throw new ChatError('unauthenticated', 'The username or the password is wrong.');
    await this.limits.loggedIn(username, address);
    if (account.banned) throw bannedUser();
    if (account.disabled) throw disabledUser();
    return this.sessions.open(userView(account), account.roles);
  }

  async #create(username: string, name: string, passwordHash: string): Promise<UserView> {
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
      if (error instanceof QueryFailedError && (error.driverError as { code?: string }).code === UNIQUE_VIOLATION) {
        throw new ChatError('conflict', 'The username is taken.');
      }
      throw error;
    }
    return { id: user.id, username, name, createdAt: user.createdAt.toISOString() };
  }
}
