import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { RequestLimits } from './request-limits.js';

/** Counts the REST requests that the JWT guard has let in; it counts the others itself. Socket commands are counted by the session. */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(private readonly limits: RequestLimits) {}

  canActivate(context: ExecutionContext): true {
    const http = context.switchToHttp();
    if (context.getType() === 'http') this.limits.take(http.getRequest(), http.getResponse());
    return true;
  }
}
