// Reads OTLP requests in JSON, one a line, and writes each as OpenTelemetry's own schema understands it, with ids in
// hex. Fails when a field is unknown to the schema, has another type there, or does not survive the binary form.
'use strict';
const assert = require('node:assert');
const { opentelemetry } = require('@opentelemetry/otlp-transformer/build/src/generated/root');
const Request = opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;

const IDS = new Set(['traceId', 'spanId', 'parentSpanId']);

function mapIds(value, change) {
  if (Array.isArray(value)) return value.map((each) => mapIds(each, change));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(
      ([key, each]) => [key, IDS.has(key) ? change(each) : mapIds(each, change)]));
}

function decode(line) {
  const given = JSON.parse(line);
  const inBase64 = mapIds(given, (hex) => {
    assert.match(hex, /^([0-9a-f]{16}|[0-9a-f]{32})$/);
    return Buffer.from(hex, 'hex').toString('base64');
  });
  const message = Request.fromObject(inBase64);
  assert.strictEqual(Request.verify(message), null);
  const decoded = Request.toObject(Request.decode(Request.encode(message).finish()), { longs: String, bytes: String });
  assert.deepStrictEqual(decoded, inBase64);
  return mapIds(decoded, (base64) => Buffer.from(base64, 'base64').toString('hex'));
}

const lines = require('node:fs').readFileSync(0, 'utf8').split('\n').filter((line) => line !== '');
for (const line of lines) process.stdout.write(JSON.stringify(decode(line)) + '\n');
