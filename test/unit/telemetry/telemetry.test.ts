import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createLogger, errorFields, type LogLevel, silentLogger } from '../../../src/telemetry/logger.ts';
import { renderExposition } from '../../../src/telemetry/exposition.ts';
import { MetricsRegistry } from '../../../src/telemetry/metrics.ts';
import { type RequestFinished, Telemetry } from '../../../src/telemetry/telemetry.ts';

function capture(level: LogLevel) {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger(level, { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { lines, logger };
}

function start(level: LogLevel = 'info') {
  const { lines, logger } = capture(level);
  const registry = new MetricsRegistry();
  const telemetry = new Telemetry({ logger, registry, bucketLabels: ['known'], version: '1.2.3' });
  return { lines, telemetry, exposition: () => renderExposition(registry.collect(), 'prometheus') };
}

const finished: RequestFinished = {
  requestId: '0123456789ABCDEF',
  operation: 'GetObject',
  status: 200,
  outcome: 'ok',
  durationMs: 12.345678,
  bytesIn: 0,
  bytesOut: 100,
  bucket: 'known',
  key: 'a/b',
  policy: 'default',
  accessKeyId: 'AKID',
};

test('log lines are JSON with time, level, message and fields', () => {
  const { lines, logger } = capture('info');
  logger.info('listening', { address: '127.0.0.1:1' });
  logger.debug('too fine');
  assert.equal(lines.length, 1);
  const [line] = lines;
  assert.deepEqual({ ...line, time: '' }, { level: 'info', time: '', address: '127.0.0.1:1', message: 'listening' });
  assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.equal(logger.enabled('debug'), false);
  assert.equal(logger.enabled('warn'), true);
});

test('times of log lines are those of ISO 8601, to the millisecond', (context) => {
  const times = [
    0, 1, 999, 1000, 1_795_622_400_007, 1_795_622_400_070, 1_795_622_400_700, 1_795_622_461_000, 86_399_999,
  ];
  const { lines, logger } = capture('info');
  for (const now of times) {
    context.mock.timers.enable({ apis: ['Date'], now });
    logger.info('x');
    context.mock.timers.reset();
  }
  assert.deepEqual(
    lines.map(({ time }) => time),
    times.map((time) => new Date(time).toISOString()),
  );
});

test('fields that are not allowed do not reach the log, whatever the types say', () => {
  const { lines, logger } = capture('info');
  const sneaky = {
    bucket: 'b',
    secret_access_key: 'hunter2',
    authorization: 'AWS4 hunter2',
    nested: { token: 'hunter2' },
  };
  logger.info('x', sneaky);
  assert.doesNotMatch(JSON.stringify(lines), /hunter2/);
  assert.equal(lines[0]?.['bucket'], 'b');
});

test('a field is text, a number or a truth, whatever the types say', () => {
  const { lines, logger } = capture('info');
  const sneaky: Record<string, unknown> = {
    key: { secret_access_key: 'hunter2' },
    reason: ['hunter2'],
    backend: { toJSON: () => 'hunter2' },
    file: null,
    status: 200,
    bytes_in: Number.NaN,
    operation: undefined,
  };
  logger.info('x', sneaky);
  assert.deepEqual({ ...lines[0], time: '' }, { level: 'info', time: '', status: 200, bytes_in: null, message: 'x' });
});

test('a line stays one line of JSON, whatever a client sends', () => {
  const texts: string[] = [];
  const logger = createLogger('info', { write: (line) => void texts.push(line) });
  const key = 'a"b\\c\nd\u2028e\u0000\ud800ü';
  logger.info('x\n{', { key });
  assert.equal(texts.length, 1);
  assert.match(texts[0] ?? '', /^[^\n]*\n$/);
  const line: unknown = JSON.parse(texts[0] ?? '');
  assert.ok(typeof line === 'object' && line !== null && 'key' in line && 'message' in line);
  assert.deepEqual([line.key, line.message], [key, 'x\n{']);
});

test('every level writes itself and what is graver', () => {
  const levels = ['trace', 'debug', 'info', 'warn', 'error'] as const;
  for (const [position, level] of [...levels, 'silent' as const].entries()) {
    const { lines, logger } = capture(level);
    for (const name of levels) logger[name](name);
    const written = levels.slice(position);
    assert.deepEqual(
      lines.map((line) => [line['level'], line['message']]),
      written.map((name) => [name, name]),
    );
    assert.deepEqual(
      levels.filter((name) => logger.enabled(name)),
      written,
    );
  }
});

test('the lines of a worker process say which one wrote them', () => {
  const lines: Record<string, unknown>[] = [];
  const sink = { write: (line: string) => void lines.push(JSON.parse(line)) };
  createLogger('info', sink, { worker: 3 }).info('x', { bucket: 'b' });
  assert.deepEqual({ ...lines[0], time: '' }, { level: 'info', time: '', worker: 3, bucket: 'b', message: 'x' });
});

test('long fields are cut', () => {
  const { lines, logger } = capture('info');
  logger.info('x', { key: 'k'.repeat(100_000) });
  assert.ok(String(lines[0]?.['key']).length < 3000);
});

test('errors are logged as code, message and bounded causes', () => {
  const root = Object.assign(new Error('root'), { code: 'ECONNREFUSED' });
  assert.deepEqual(errorFields(new TypeError('outer', { cause: root })), {
    error_code: 'TypeError',
    error_message: 'outer',
    error_causes: 'Error: root',
  });
  assert.equal(errorFields(root).error_code, 'ECONNREFUSED');
  assert.deepEqual(errorFields('text'), { error_message: 'text' });
  const loop = new Error('loop');
  loop.cause = loop;
  assert.equal(errorFields(loop).error_causes?.toString().split(' < ').length, 5);
});

test('a request is counted and logged once', () => {
  const { lines, telemetry, exposition } = start();
  telemetry.requestStarted();
  telemetry.requestStarted();
  assert.match(exposition(), /s3eg_requests_in_flight 2\n/);
  telemetry.requestFinished(finished);
  const text = exposition();
  assert.match(text, /s3eg_requests_in_flight 1\n/);
  assert.match(text, /s3eg_requests_total\{operation="GetObject",status="200"\} 1\n/);
  assert.match(text, /s3eg_request_duration_seconds_sum\{operation="GetObject"\} 0\.012345/);
  assert.match(text, /s3eg_bytes_total\{direction="out"\} 100\n/);
  assert.match(text, /s3eg_bucket_bytes_total\{bucket="known",direction="out"\} 100\n/);
  assert.match(text, /s3eg_build_info\{version="1\.2\.3",runtime="v\d/);
  assert.equal(lines.length, 1);
  assert.deepEqual(
    { ...lines[0], time: '' },
    {
      level: 'info',
      time: '',
      request_id: '0123456789ABCDEF',
      access_key_id: 'AKID',
      operation: 'GetObject',
      bucket: 'known',
      key: 'a/b',
      policy: 'default',
      status: 200,
      outcome: 'ok',
      duration_ms: 12.346,
      bytes_in: 0,
      bytes_out: 100,
      message: 'request',
    },
  );
});

test('buckets that are not listed get no series of their own', () => {
  const { telemetry, exposition } = start();
  telemetry.requestFinished({ ...finished, bucket: 'stranger' });
  assert.doesNotMatch(exposition(), /stranger/);
});

test('what is our fault is logged as an error with its cause', () => {
  const { lines, telemetry } = start('error');
  telemetry.requestFinished(finished);
  telemetry.requestFinished({ ...finished, outcome: 'client_error', status: 404, errorCode: 'NoSuchKey' });
  telemetry.requestFinished({ ...finished, outcome: 'broken', error: new Error('cut short') });
  assert.equal(lines.length, 1);
  assert.equal(lines[0]?.['error_message'], 'cut short');
});

test('every event has its metric', () => {
  const { lines, telemetry, exposition } = start('debug');
  const error = new Error('e');
  telemetry.decryptionFailed({ reason: 'segment', bucket: 'b', key: 'k', keyName: 'local', keyVersion: '1', error });
  telemetry.backendRequest({ backend: 'main', operation: 'get', outcome: '503', durationMs: 2000, attempt: 2, error });
  telemetry.keyOperation({ keyName: 'local', operation: 'unwrap', outcome: 'ok', durationMs: 1 });
  telemetry.keyCacheLookup({ keyName: 'local', cache: 'wrap', outcome: 'hit' });
  telemetry.keyCacheLookup({ keyName: 'local', cache: 'wrap', outcome: 'hit' });
  telemetry.keyCacheLookup({ keyName: 'local', cache: 'unwrap', outcome: 'offline' });
  telemetry.listenerError({ requestId: '0', reason: 'body_failed', error });
  const text = exposition();
  assert.match(text, /s3eg_decryption_failures_total\{reason="segment"\} 1\n/);
  assert.match(text, /s3eg_backend_requests_total\{backend="main",operation="get",outcome="503"\} 1\n/);
  assert.match(text, /s3eg_backend_request_duration_seconds_bucket\{backend="main",operation="get",le="2\.5"\} 1\n/);
  assert.match(text, /s3eg_key_operations_total\{key="local",operation="unwrap",outcome="ok"\} 1\n/);
  assert.match(text, /s3eg_key_cache_lookups_total\{key="local",cache="wrap",outcome="hit"\} 2\n/);
  assert.match(text, /s3eg_key_cache_lookups_total\{key="local",cache="unwrap",outcome="offline"\} 1\n/);
  assert.match(text, /s3eg_listener_errors_total\{reason="body_failed"\} 1\n/);
  assert.deepEqual(
    lines.map((line) => line['level']),
    ['error', 'warn', 'debug', 'error'],
  );
});

test('the silent logger says nothing', () => {
  silentLogger.error('x');
  assert.equal(silentLogger.enabled('error'), false);
});
