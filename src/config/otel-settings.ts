import { z } from 'zod';
import { milliseconds, oneOf, share } from './setting-values.js';

const endpoint = z.url({ protocol: /^https?$/, error: 'must begin with http:// or https://' }).optional();

const pairs = z
  .string()
  .refine((value) => pairsOf(value) !== null, 'must be name=value, comma-separated, with percent signs for special characters')
  .optional();

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

/**
 * Traces, by the names that OpenTelemetry has for these settings, and as it reads them
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
 */
export const OTEL_SETTINGS = {
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint.describe(
    'OTLP/HTTP collector that traces go to, at /v1/traces below it; without it there are none.',
  ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint.describe('The same, as the whole URL that traces are posted to; it wins over the other.'),
  OTEL_EXPORTER_OTLP_HEADERS: pairs.describe("Headers of those posts, name=value, comma-separated, such as the collector's key."),
  OTEL_EXPORTER_OTLP_PROTOCOL: oneOf(['http/protobuf', 'http/json'])
    .default('http/protobuf')
    .describe('Form of those posts: http/protobuf or http/json.'),
  OTEL_SERVICE_NAME: z.string().optional().describe('`service.name` of the traces; `parley` without it.'),
  OTEL_RESOURCE_ATTRIBUTES: pairs.describe('More attributes of this server in its traces, name=value, comma-separated.'),
  OTEL_TRACES_SAMPLER: oneOf(SAMPLERS)
    .default('parentbased_always_on')
    .describe(`What is traced: ${SAMPLERS.join(', ')}.`),
  OTEL_TRACES_SAMPLER_ARG: share.default(1).describe('Share of traces, from 0 to 1, that the ratio samplers take.'),
  OTEL_BSP_SCHEDULE_DELAY: milliseconds(60_000).default(5_000).describe('Milliseconds between two posts, unless 512 spans wait.'),
};

/** Reads `name=value,name=value` with percent-encoded values. @returns null for what is no such list */
export function pairsOf(text = ''): Readonly<Record<string, string>> | null {
  const record: Record<string, string> = {};
  for (const pair of text.split(',').filter((item) => item.trim() !== '')) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim();
    if (at < 0 || !/^[\w.*/-]+$/.test(name)) return null;
    try {
      record[name] = decodeURIComponent(pair.slice(at + 1).trim());
    } catch {
      return null;
    }
  }
  return Object.freeze(record);
}
