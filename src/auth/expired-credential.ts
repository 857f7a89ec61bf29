import { ChatError } from '../errors/chat-error.js';

/** A token or API key that was good, and whose time is over: the daily life of clients, where one that never was good is a guess. */
export class ExpiredCredential extends ChatError {
  constructor(what: 'access token' | 'API key') {
    super('unauthenticated', `The ${what} has expired.`);
  }
}
