import type { Ask } from './openapi-recorder.js';
import { type Json, type OpenApi, type Operation, operationsOf, resolved } from './openapi-document.js';

/** A request that is right or wrong by the document alone, made from its examples. */
export interface Input {
  route: string;
  /** In words, for the name of a failure. */
  what: string;
  ask: Ask;
  /** With a wrong one: the `path` in `details` that tells the caller. */
  field?: string;
}

interface Values {
  good: [string, unknown][];
  bad: [string, unknown][];
}

/** A request of each operation with what it needs, from the examples in the document. */
export function exampleAsk(document: OpenApi, { parameters = [], requestBody }: Operation): Ask {
  const ask: Ask = {};
  for (const { in: place, name, required, example, schema } of parameters) {
    if (!required) continue;
    const values = (ask[place === 'header' ? 'headers' : place] ??= {}) as Json;
    values[name] = example ?? schema.example;
  }
  const schema = requestBody?.content?.['application/json']?.schema;
  if (schema !== undefined) ask.body = exampleOf(resolved(document, schema));
  return ask;
}

/** Requests that keep every rule that the document has for inputs, and requests that break one each. */
export function inputsOf(document: OpenApi): { good: Input[]; bad: Input[] } {
  const inputs = { good: [] as Input[], bad: [] as Input[] };
  for (const [route, operation] of operationsOf(document)) {
    const base = exampleAsk(document, operation);
    inputs.good.push({ route, what: 'its examples', ask: base });
    for (const { in: place, name, required, schema } of operation.parameters ?? []) {
      const where = place === 'header' ? 'headers' : place;
      const { good, bad } = valuesOf(schema);
      const withValue = (value: unknown) => ({ ...base, [where]: { ...(base[where] as Json), [name]: value } });
      const inText = ([, value]: [string, unknown]) => typeof value === 'string' || (typeof value === 'number' && place !== 'header');
      // An empty part of a path is another path, and a header cannot be empty on every client.
      const usable = (entry: [string, unknown]) => inText(entry) && !(entry[1] === '' && place !== 'query');
      for (const [what, value] of good.filter(usable)) inputs.good.push({ route, what: `${name}: ${what}`, ask: withValue(value) });
      for (const [what, value] of bad.filter(usable)) {
        if (what === 'another type' && schema.type === 'string') continue; // in a URL all is text
        inputs.bad.push({ route, what: `${name}: ${what}`, ask: withValue(value), field: name });
      }
      if (required && place !== 'path')
        inputs.bad.push({ route, what: `without ${name}`, ask: { ...base, [where]: without(base[where] as Json, name) }, field: name });
    }
    inputs.bad.push({ route, what: 'an unknown query', ask: { ...base, query: { ...base.query, colour: 'blue' } }, field: 'colour' });
    if (operation.requestBody === undefined && !route.startsWith('GET '))
      inputs.bad.push({
        route,
        what: 'a field of a body that it does not take',
        ask: { ...base, body: { colour: 'blue' } },
        field: 'colour',
      });
    addBodies(document, route, operation, base, inputs);
  }
  return inputs;
}

function addBodies(document: OpenApi, route: string, { requestBody }: Operation, base: Ask, inputs: { good: Input[]; bad: Input[] }): void {
  const content = requestBody?.content?.['application/json']?.schema;
  if (content === undefined) return;
  const schema = resolved(document, content);
  const example = base.body as Json;
  for (const [name, part] of Object.entries(schema.properties as Record<string, Json>)) {
    const { good, bad } = valuesOf(part);
    const withValue = (value: unknown): Ask => ({ ...base, body: { ...example, [name]: value } });
    for (const [what, value] of good) inputs.good.push({ route, what: `${name}: ${what}`, ask: withValue(value) });
    for (const [what, value] of bad) inputs.bad.push({ route, what: `${name}: ${what}`, ask: withValue(value), field: name });
    if ((schema.required as string[] | undefined)?.includes(name))
      inputs.bad.push({ route, what: `without ${name}`, ask: withValue(undefined), field: name });
  }
  inputs.bad.push({ route, what: 'an unknown field', ask: { ...base, body: { ...example, colour: 'blue' } }, field: 'colour' });
  for (const body of [[example], 7, 'text', null])
    inputs.bad.push({ route, what: `a body that is ${JSON.stringify(body)}`, ask: { ...base, body } });
  inputs.bad.push({ route, what: 'a body that is no JSON', ask: { ...base, raw: '{"' } });
  if (requestBody!.required) {
    const { body: _, ...bodiless } = base;
    if ((schema.required as string[] | undefined) !== undefined) inputs.bad.push({ route, what: 'no body', ask: bodiless });
  } else inputs.good.push({ route, what: 'no body', ask: { ...base, body: undefined } });
}

function without(values: Json, name: string): Json {
  return Object.fromEntries(Object.entries(values).filter(([other]) => other !== name));
}

function exampleOf(schema: Json): Json {
  const properties = schema.properties as Record<string, Json>;
  return Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, part.example]));
}

/** Values at the bounds that a schema draws, on either side. */
function valuesOf(schema: Json): Values {
  const values: Values = { good: [], bad: [] };
  const { type, nullable, minimum, maximum, maxItems, format } = schema as Json & { minimum?: number; maximum?: number; maxItems?: number };
  values[nullable ? 'good' : 'bad'].push(['null', null]);
  values.bad.push(['another type', type === 'string' ? 7 : 'text'], ['a list', type === 'array' ? { 0: 'u8' } : ['text']]);
  if (type === 'string') addTexts(schema, values);
  if (type === 'integer') values.bad.push(['a fraction', 1.5]);
  if (minimum !== undefined) {
    values.good.push(['the least', minimum]);
    values.bad.push(['less than the least', minimum - 1]);
  }
  if (maximum !== undefined) {
    values.good.push(['the most', maximum]);
    values.bad.push(['more than the most', maximum + 1]);
  }
  if (maxItems !== undefined) {
    const items = (count: number) => Array.from({ length: count }, (_, i) => `member-${i}`);
    values.good.push(['the most items', items(maxItems)], ['no items', []]);
    values.bad.push(['more items', items(maxItems + 1)], ['an item of another type', [7]]);
  }
  if (format === 'uuid') {
    values.good.push(['in upper case', '0199C3A1-6F0E-7C7E-9D0C-3F1F5F0E8A11']);
    values.bad.push(['no UUID', '0199c3a1']);
  }
  return values;
}

function addTexts(schema: Json, values: Values): void {
  const {
    minLength,
    maxLength,
    pattern,
    enum: words,
  } = schema as { minLength?: number; maxLength?: number; pattern?: string; enum?: string[] };
  if (minLength !== undefined) values.good.push(['the shortest', 'a'.repeat(minLength)]);
  if (minLength) values.bad.push(['shorter than the shortest', 'a'.repeat(minLength - 1)]);
  if (maxLength !== undefined) {
    values.good.push(['the longest', 'a'.repeat(maxLength)]);
    values.bad.push(['longer than the longest', 'a'.repeat(maxLength + 1)]);
  }
  if (pattern !== undefined) values.bad.push(['another pattern', '-_-']);
  if (words !== undefined) {
    values.good.push(...words.map((word): [string, string] => [word, word]));
    values.bad.push(['another word', 'another']);
  }
}
