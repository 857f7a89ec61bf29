import { applyDecorators, type CanActivate, type ExecutionContext, Injectable, UseGuards } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Config } from '../config/config.js';
import { ChatError } from '../errors/chat-error.js';

const Setting = Reflector.createDecorator<'localAccounts' | 'guests'>();

@Injectable()
class OnlyWithGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly config: Config,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    if (this.config[this.reflector.get(Setting, context.getHandler())]) return true;
    throw new ChatError('not_found', 'There is no such route.');
  }
}

/** The route answers as one that is not there while the setting is off. */
export function OnlyWith(setting: 'localAccounts' | 'guests'): MethodDecorator {
  return applyDecorators(Setting(setting), UseGuards(OnlyWithGuard));
}
