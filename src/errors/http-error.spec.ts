import { describe, expect, it } from '@jest/globals';
import { ForbiddenException, ImATeapotException, InternalServerErrorException, NotFoundException } from '@nestjs/common';
import { ChatError } from './chat-error.js';
import { httpErrorAnswer, toChatError } from './http-error.js';

describe('toChatError', () => {
  const parserError = (status: number) => Object.assign(new Error('SECRET in the body'), { status, type: 'entity' });

  it.each([
    [new ChatError('conflict', 'Taken.'), 'conflict'],
    [new NotFoundException(), 'not_found'],
    [new ForbiddenException(), 'forbidden'],
    [new ImATeapotException(), 'validation_failed'],
    [parserError(413), 'payload_too_large'],
    [parserError(400), 'validation_failed'],
    [parserError(415), 'validation_failed'],
    [new InternalServerErrorException('SECRET'), 'internal'],
    [new Error('SELECT SECRET'), 'internal'],
    ['SECRET', 'internal'],
    [undefined, 'internal'],
    [Object.assign(new Error('SECRET'), { status: 400 }), 'internal'],
  ])('%p is %s', (error, code) => {
    const chatError = toChatError(error);
    expect(chatError.code).toBe(code);
    expect(chatError.message).not.toContain('SECRET');
  });
});

describe('httpErrorAnswer', () => {
  it('says when to come back', () => {
    const answer = httpErrorAnswer(new ChatError('rate_limited', 'Slow down.', { retryAfterMs: 1001 }), 'r1');
    expect(answer).toEqual({
      status: 429,
      headers: { 'Retry-After': '2' },
      body: { code: 'rate_limited', message: 'Slow down.', requestId: 'r1', retryAfterMs: 1001 },
    });
  });

  it('says which limit refused, with the same time', () => {
    const limit = { name: 'joins', quota: 200, windowSeconds: 10 } as const;
    const { headers } = httpErrorAnswer(new ChatError('rate_limited', 'Slow down.', { retryAfterMs: 1001, limit }), 'r1');
    expect(headers).toEqual({ 'Retry-After': '2', 'RateLimit-Policy': '"joins";q=200;w=10', RateLimit: '"joins";r=0;t=2' });
  });

  it('names the scheme with 401, and only what is there', () => {
    const answer = httpErrorAnswer(new ChatError('unauthenticated', 'No.', { cause: new Error('hidden') }), 'r1');
    expect(answer).toEqual({
      status: 401,
      headers: { 'WWW-Authenticate': 'Bearer' },
      body: { code: 'unauthenticated', message: 'No.', requestId: 'r1' },
    });
  });
});
