import { applyDecorators } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiExtension } from '@nestjs/swagger';

/** What an API key may be made for, each with its line in the OpenAPI document. */
export const SCOPES = {
  'users:read': 'List and read users, their sessions, bans and mutes.',
  'users:write':
    'Disable, ban, mute and sign out users who are no administrators, by their stored roles or a token of the last 30 days, and set their roles.',
  'rooms:read': 'List and read all rooms and their members.',
  'rooms:write':
    'Change, archive and delete rooms, set their members, and ban and mute in them. It reads too: who sets members may make his bot one, of any room.',
  'messages:read': 'Find and read messages of all rooms.',
  'messages:write': 'Remove messages, and bring back what was removed.',
  'reports:read': 'Read the queue of reports.',
  'reports:write':
    'Decide reports; to remove a message takes `messages:write` too, to mute or ban its sender `users:write`, to dismiss what a room decided as a mute or a ban `rooms:write`.',
  'connections:read': 'List the open connections of all instances.',
  'connections:write': 'Close connections, but those of administrators.',
  'notices:write': 'Send notices.',
  'keys:read': 'List API keys.',
  'keys:write': 'Make and revoke API keys.',
  'settings:read': 'Read what the server runs with, without secrets.',
  'stats:read': 'Read statistics.',
  'audit:read': 'Read and export the audit log.',
  'access:read': 'Ask who may do what, and why.',
  'tokens:write': 'Sign access tokens for users; for administrators only together with all other scopes.',
  'users:act': 'Act as a user, by the header `Parley-User`; as an administrator only together with all other scopes.',
} as const;

export type Scope = keyof typeof SCOPES;

export const ALL_SCOPES = Object.keys(SCOPES) as Scope[];

/** The role whose tokens may do all that any scope allows. */
export const ADMIN_ROLE = 'admin';

/** What a route asks for, for the `ScopeGuard`. */
export const RequiredScope = Reflector.createDecorator<Scope>();

/** On a route: who calls it must be allowed this. Enforced by the `ScopeGuard`, and told in the OpenAPI document, from which `x-scope` is read. */
export function RequireScope(scope: Scope): MethodDecorator {
  return applyDecorators(RequiredScope(scope), ApiExtension('x-scope', scope));
}

interface Holder {
  readonly roles: readonly string[];
  readonly key?: { readonly scopes: readonly Scope[] };
}

/** A user may do all by his role, a backend what its key has. */
export function hasScope({ roles, key }: Holder, scope: Scope): boolean {
  return key ? key.scopes.includes(scope) : roles.includes(ADMIN_ROLE);
}

/** May do all that administrators may. */
export function hasAllScopes(holder: Holder): boolean {
  return ALL_SCOPES.every((scope) => hasScope(holder, scope));
}
