import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fetchDocument, type OpenApi, operationsOf } from '../support/openapi-document.js';
import { type Input, inputsOf } from '../support/openapi-inputs.js';
import { OpenApiRecorder } from '../support/openapi-recorder.js';
import { startTestApp, type TestApp } from '../support/test-app.js';

const NOT_400 = [200, 201, 202, 204, 401, 403, 404, 409, 410];

let server: TestApp;
let document: OpenApi;
let recorder: OpenApiRecorder;
let token: string;

beforeAll(async () => {
  server = await startTestApp({ GUESTS: 'on' });
  document = await fetchDocument(server.url);
  recorder = new OpenApiRecorder(document);
  token = server.token('prober', { roles: ['admin'] });
});

afterAll(() => server.close());

const ask = ({ route, ask: asked }: Input, status: number | number[]) => recorder.ask(server.url, route, status, { token, ...asked });

/** What was answered otherwise than the document lets expect. */
async function surprises(inputs: Input[], hold: (input: Input) => Promise<void>): Promise<string[]> {
  const found: string[] = [];
  for (const input of inputs) {
    await hold(input).catch((error: Error) => found.push(`${input.route}, ${input.what}: ${error.message}`));
  }
  return found;
}

async function expectRefusal(input: Input): Promise<void> {
  const { code, details } = (await ask(input, 400)) as { code: string; details?: { path: string }[] };
  expect(code).toBe('validation_failed');
  if (input.field !== undefined) expect(details?.map(({ path }) => path.split('.')[0])).toEqual([input.field]);
}

describe('the rules that the document has for inputs', () => {
  it('are the only ones: what keeps them is not refused as invalid', async () => {
    const { good } = inputsOf(document);
    // A cursor is opaque: only a list itself makes good ones.
    const expected = good.filter(({ what }) => !what.startsWith('cursor:'));
    expect(expected.length).toBeGreaterThan(100);
    expect(await surprises(expected, async (input) => void (await ask(input, NOT_400)))).toEqual([]);
  });

  it('are held: what breaks one is refused, and the answer names the field', async () => {
    const { bad } = inputsOf(document);
    expect(bad.length).toBeGreaterThan(150);
    expect(await surprises(bad, expectRefusal)).toEqual([]);
  });

  it('would be missed: a document with another rule is not passed', async () => {
    const doctored = structuredClone(document);
    const { text } = doctored.components.schemas.NewMessageDto!.properties as Record<string, { maxLength: number }>;
    const only = (inputs: Input[]) => inputs.filter(({ route }) => route === 'POST /v1/rooms/{room}/messages');
    text!.maxLength = 7_999;
    expect(await surprises(only(inputsOf(doctored).bad), expectRefusal)).toEqual([
      expect.stringContaining('text: longer than the longest'),
    ]);
    text!.maxLength = 8_001;
    const good = only(inputsOf(doctored).good);
    expect(await surprises(good, async (input) => void (await ask(input, NOT_400)))).toEqual([
      expect.stringContaining('text: the longest'),
    ]);
  });

  it('are made for every operation: one that takes no input refuses what comes', () => {
    const { bad } = inputsOf(document);
    const unknown = bad.filter(({ what }) => what === 'an unknown query').map(({ route }) => route);
    expect(unknown).toEqual([...operationsOf(document).keys()]);
  });
});
