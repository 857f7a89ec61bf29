import { describe, expect, it } from '@jest/globals';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, ValidateNested } from 'class-validator';
import { ChatError } from './chat-error.js';
import { validationPipe } from './validation.pipe.js';
import { IsMeta, IsText, IsTime, IsUserId } from './validators.js';

class Inner {
  @IsText(1, 3)
  word!: string;
}

class Body {
  @IsText(1, 5)
  text!: string;

  @IsOptional()
  @IsMeta()
  meta?: object;

  @IsOptional()
  @IsUserId({ each: true })
  users?: string[];

  @IsOptional()
  @IsInt()
  count?: number;

  @IsOptional()
  @IsTime()
  at?: Date;

  @IsOptional()
  @ValidateNested()
  @Type(() => Inner)
  inner?: Inner;
}

const pipe = validationPipe();
const check = (value: unknown) => pipe.transform(value, { type: 'body', metatype: Body });
const details = async (value: unknown) => {
  const error: unknown = await check(value).catch((reason: unknown) => reason);
  if (!(error instanceof ChatError)) return error;
  expect(error.code).toBe('validation_failed');
  return error.details;
};

describe('validationPipe', () => {
  it('lets what is right through as an instance', async () => {
    expect(await check({ text: 'hi', meta: { a: [1] } })).toBeInstanceOf(Body);
  });

  it('reads a time as it is written, and no day that there is not', async () => {
    const read = async (at: string) => ((await check({ text: 'a', at })) as Body).at?.toJSON();
    expect(await read('2028-02-29T01:00+02:00')).toBe('2028-02-28T23:00:00.000Z');
    for (const at of ['2026-02-29T00:00:00Z', '2026-04-31T00:00:00Z', '2026-13-01T00:00:00Z', '2026-01-01T25:00:00Z', '2026-01-01'])
      expect(await details({ text: 'a', at })).toEqual([{ path: 'at', message: 'must be a time, such as 2026-11-24T12:00:00.000Z' }]);
  });

  it('counts UTF-16 units', async () => {
    expect(await details({ text: '👍👍' })).not.toEqual(expect.any(Array));
    expect(await details({ text: '👍👍👍' })).toEqual([{ path: 'text', message: 'must have at most 5 characters' }]);
  });

  it.each([
    ['U+0000', { text: 'a\u0000' }, 'text', 'must not contain U+0000'],
    ['a lone surrogate', { text: '\ud800' }, 'text', 'must not contain a lone surrogate'],
    ['another type', { text: { $ne: '' } }, 'text', 'must be a string'],
    ['an unknown field', { text: 'a', sender: 'u8' }, 'sender', 'is not a known field'],
    ['a number as text', { text: 'a', count: '3' }, 'count', 'count must be an integer number'],
    ['a nested fault', { text: 'a', inner: { word: 'long' } }, 'inner.word', 'must have at most 3 characters'],
    ['an array for meta', { text: 'a', meta: [] }, 'meta', 'must be an object'],
    ['constructor', JSON.parse('{"text":"a","constructor":{}}'), 'constructor', 'is not a name that can be used'],
    ['__proto__', JSON.parse('{"text":"a","__proto__":{"polluted":true}}'), '__proto__', 'is not a name that can be used'],
    ['__proto__ inside', JSON.parse('{"text":"a","meta":{"a":[{"__proto__":1}]}}'), 'meta.a.0.__proto__', 'is not a name that can be used'],
  ])('refuses %s', async (_, value, path, message) => {
    expect(await details(value)).toEqual([{ path, message }]);
  });

  it.each([[[]], ['text'], [7], [null], [undefined]])('refuses %p where an object should be', async (value) => {
    expect(await details(value)).toEqual(expect.any(Array));
  });

  it('refuses what nests 10,000 deep', async () => {
    expect(await details(JSON.parse(`{"text":"a","meta":${'['.repeat(10_000)}${']'.repeat(10_000)}}`))).toEqual(expect.any(Array));
  });
});
