import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { seededBytes } from './support/bytes.ts';
import { admin, parseMetrics, scrape, valueOf } from './support/metrics.ts';
import { suiteWithGateway } from './support/suite.ts';

interface Readiness {
  readonly ok: boolean;
  readonly dependencies: Readonly<Record<string, { readonly ok: boolean; readonly reason?: string }>>;
}

describe('the admin listener', () => {
  const suite = suiteWithGateway(['bucket'], {
    config: { telemetry: { logLevel: 'trace', metrics: { bucketLabels: ['bucket'] } } },
  });

  const readiness = async (): Promise<Readiness & { readonly status: number }> => {
    const { status, text } = await admin(suite.gateway, '/ready');
    const answer: unknown = JSON.parse(text);
    assert.ok(typeof answer === 'object' && answer !== null && 'dependencies' in answer && 'ok' in answer);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- just checked
    return { ...(answer as Readiness), status };
  };

  it('says that the process lives and is ready, and for what reasons', async () => {
    const live = await admin(suite.gateway, '/live');
    assert.deepEqual([live.status, live.text], [200, '{"ok":true}\n']);
    const { status, ok, dependencies } = await readiness();
    assert.deepEqual([status, ok], [200, true]);
    assert.deepEqual(
      Object.entries(dependencies).map(([name, health]) => [name, health.ok]),
      [
        ['gateway', true],
        ['backend:main', true],
        ['key:local', true],
      ],
    );
  });

  it('says when the store is away and when it is back', async () => {
    const objects = join(suite.gateway.directory, 'objects');
    await rename(objects, `${objects}-away`);
    let away = await readiness();
    for (let round = 0; round < 100 && away.ok; round++) {
      await sleep(100); // An answer stands for a moment.
      away = await readiness();
    }
    assert.equal(away.status, 503);
    assert.equal(away.dependencies['backend:main']?.ok, false);
    assert.match(away.dependencies['backend:main']?.reason ?? '', /^the store cannot be written/);
    assert.equal(away.dependencies['gateway']?.ok, true);
    assert.equal((await admin(suite.gateway, '/live')).status, 200, 'a restart would not help');
    await rename(`${objects}-away`, objects);
    let back = await readiness();
    for (let round = 0; round < 100 && !back.ok; round++) {
      await sleep(100);
      back = await readiness();
    }
    assert.equal(back.status, 200);
  });

  it('gives metrics in the text format, which add up', async () => {
    const { s3, gateway } = suite;
    const before = await scrape(gateway);
    const body = seededBytes('metrics', 100_001);
    for (let round = 0; round < 3; round++) await s3.put('bucket', 'k', body);
    await s3.get('bucket', 'k');
    await s3.get('bucket', 'k', { range: 'bytes=0-9' });
    await s3.get('bucket', 'not there');
    await s3.send({ method: 'GET', bucket: 'bucket', query: { 'list-type': '2' } });
    await s3.sendRaw({ method: 'GET', target: '/bucket/k' });
    const after = await scrape(gateway);
    const grown = (name: string, labels: Readonly<Record<string, string>>): number =>
      valueOf(after, name, labels) - valueOf(before, name, labels);
    const requests = 's3eg_requests_total';
    assert.equal(grown(requests, { operation: 'PutObject', status: '200' }), 3);
    assert.equal(grown(requests, { operation: 'GetObject', status: '200' }), 1);
    assert.equal(grown(requests, { operation: 'GetObject', status: '206' }), 1);
    assert.equal(grown(requests, { operation: 'GetObject', status: '404' }), 1);
    assert.equal(grown(requests, { operation: 'ListObjectsV2', status: '200' }), 1);
    assert.equal(grown(requests, { status: '403' }), 1, 'the one without a signature');
    assert.equal(grown('s3eg_bytes_total', { direction: 'in' }), 3 * body.length);
    assert.ok(grown('s3eg_bytes_total', { direction: 'out' }) >= body.length + 10);
    assert.equal(grown('s3eg_bucket_requests_total', { bucket: 'bucket', operation: 'PutObject' }), 3);
    assert.equal(grown('s3eg_request_duration_seconds_count', { operation: 'PutObject' }), 3);
    assert.equal(valueOf(after, 's3eg_requests_in_flight'), 0);
    assert.equal(valueOf(after, 's3eg_decryption_failures_total'), 0);
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_start_time_seconds']) {
      assert.ok(valueOf(after, name) > 0, name);
    }
  });

  it('gives histograms whose buckets hold what is counted', async () => {
    const { samples, types } = await scrape(suite.gateway);
    const histograms = [...types].filter(([, type]) => type === 'histogram').map(([name]) => name);
    assert.ok(histograms.length > 0);
    for (const name of histograms) {
      for (const count of samples.filter((sample) => sample.name === `${name}_count`)) {
        const buckets = samples
          .filter((sample) => sample.name === `${name}_bucket`)
          .filter(({ labels }) => Object.entries(count.labels).every(([label, value]) => labels[label] === value));
        const values = buckets.map(({ value }) => value);
        assert.deepEqual(
          values,
          values.toSorted((left, right) => left - right),
          `${name} grows`,
        );
        assert.equal(buckets.at(-1)?.labels['le'], '+Inf');
        assert.equal(values.at(-1), count.value);
      }
    }
  });

  it('never lets a client choose a label', async () => {
    const { s3, gateway } = suite;
    for (const name of ['evil-one', 'evil-two']) {
      await s3.send({ method: 'GET', bucket: name });
      await s3.send({ method: 'GET', bucket: 'bucket', query: { [name]: '' } });
      await s3.send({ method: name.toUpperCase().replace('-', ''), bucket: 'bucket' }).catch(() => {});
      await s3.put('bucket', name, 'x');
    }
    assert.doesNotMatch((await admin(gateway, '/metrics')).text, /evil/i);
  });

  it('speaks OpenMetrics to those who ask for it', async () => {
    const accept = 'application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.5';
    const { headers, text } = await admin(suite.gateway, '/metrics', { headers: { accept } });
    assert.match(headers['content-type'] ?? '', /^application\/openmetrics-text/);
    assert.ok(text.endsWith('\n# EOF\n'));
    assert.match(text, /^# TYPE s3eg_requests counter$/m);
    const plain = await admin(suite.gateway, '/metrics');
    assert.match(plain.headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
    assert.ok(parseMetrics(plain.text).samples.length > 20);
  });

  it('has nothing else, and the S3 listener has nothing of it', async () => {
    const { gateway, s3 } = suite;
    for (const target of ['/', '/bucket', '/bucket/k', '/live/', '/Metrics', '/api', '/api/v2/keys', '/../live']) {
      assert.equal((await admin(gateway, target)).status, 404, target);
    }
    // Without a token in the configuration the API is nobody's.
    for (const target of ['/api/v1/unknown', '/api/v1/keys/main/rotate']) {
      assert.equal((await admin(gateway, target)).status, 403, target);
    }
    for (const method of ['POST', 'PUT', 'DELETE']) {
      assert.equal((await admin(gateway, '/metrics', { method })).status, 405, method);
    }
    assert.deepEqual((await admin(gateway, '/live', { method: 'HEAD' })).body.length, 0);
    for (const target of ['/live', '/ready', '/metrics', '/api/v1/']) {
      assert.equal((await s3.sendRaw({ method: 'GET', target })).outcome, '403 AccessDenied', target);
    }
  });
});
