import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type AdminOptions, createAdminHandler } from '../../../src/admin/admin-handler.ts';
import { ReadinessProbe } from '../../../src/admin/readiness.ts';
import type { Health } from '../../../src/base/health.ts';
import { HttpServer } from '../../../src/http/server.ts';
import { MetricsRegistry } from '../../../src/telemetry/metrics.ts';

const healthy = (): Promise<Health> => Promise.resolve({ ok: true });

function start(options: Partial<AdminOptions> = {}) {
  const registry = new MetricsRegistry();
  registry.counter({ name: 't_total', type: 'counter', help: 'T.', labels: [] }).add({}, 3);
  const handler = createAdminHandler({ checks: { store: healthy }, registry, ...options });
  return (target: string, method = 'GET', headers: Record<string, string> = {}) => handler({ method, target, headers });
}

test('/live says that the process answers, whatever its dependencies do', async () => {
  const get = start({ checks: { store: () => Promise.reject(new Error('down')) } });
  const answer = await get('/live');
  assert.equal(answer.status, 200);
  assert.deepEqual(JSON.parse(answer.body), { ok: true });
});

test('/ready names every dependency', async () => {
  const answer = await start({ checks: { 'backend:main': healthy, 'key:local': healthy } })('/ready?x=1');
  assert.equal(answer.status, 200);
  assert.deepEqual(JSON.parse(answer.body), {
    ok: true,
    dependencies: { gateway: { ok: true }, 'backend:main': { ok: true }, 'key:local': { ok: true } },
  });
});

test('/ready is 503 with the reason when a dependency is down, throws or does not answer', async () => {
  const get = start({
    readinessTimeoutMs: 20,
    checks: {
      good: healthy,
      down: () => Promise.resolve({ ok: false, reason: 'sealed' }),
      throws: () => Promise.reject(new Error('refused')),
      hangs: () => new Promise<never>(() => {}),
    },
  });
  const answer = await get('/ready');
  assert.equal(answer.status, 503);
  assert.deepEqual(JSON.parse(answer.body), {
    ok: false,
    dependencies: {
      gateway: { ok: true },
      good: { ok: true },
      down: { ok: false, reason: 'sealed' },
      throws: { ok: false, reason: 'refused' },
      hangs: { ok: false, reason: 'no answer within 20 ms' },
    },
  });
});

test('/ready is 503 while the gateway drains', async () => {
  let serving = true;
  const get = start({ serving: () => serving });
  assert.equal((await get('/ready')).status, 200);
  serving = false;
  assert.equal((await get('/ready')).status, 503);
});

test('many probes make one round of questions, and its answer stands for a while', async () => {
  let now = 0;
  let asked = 0;
  let state: Health = { ok: true };
  const probe = new ReadinessProbe({
    checks: {
      store: () => {
        asked += 1;
        return Promise.resolve(state);
      },
    },
    cacheMs: 1000,
    clock: { now: () => now },
  });
  await Promise.all([probe.check(), probe.check(), probe.check()]);
  state = { ok: false, reason: 'down' };
  now = 999;
  assert.equal((await probe.check()).ok, true);
  assert.equal(asked, 1);
  now = 1000;
  assert.equal((await probe.check()).ok, false);
  assert.equal(asked, 2);
});

test('a check is told when its time is over', async () => {
  const told = Promise.withResolvers<void>();
  const probe = new ReadinessProbe({
    timeoutMs: 10,
    checks: {
      store: (signal) =>
        new Promise<never>(() => {
          signal.addEventListener('abort', () => told.resolve());
        }),
    },
  });
  assert.equal((await probe.check()).ok, false);
  await told.promise;
});

test('/metrics speaks both formats', async () => {
  const get = start();
  const plain = await get('/metrics');
  assert.match(plain.headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
  assert.match(plain.body, /# TYPE t_total counter\nt_total 3\n$/);
  const open = await get('/metrics', 'GET', { accept: 'application/openmetrics-text; version=1.0.0' });
  assert.match(open.headers['content-type'] ?? '', /^application\/openmetrics-text; version=1\.0\.0/);
  assert.match(open.body, /# TYPE t counter\nt_total 3\n# EOF\n$/);
});

test('everything else is not found, and nothing can be written', async () => {
  const get = start();
  for (const target of ['/', '/metrics/', '/Ready', '//ready', '/live/../ready', '', '*']) {
    assert.equal((await get(target)).status, 404, target);
  }
  for (const method of ['POST', 'PUT', 'DELETE']) {
    const answer = await get('/ready', method);
    assert.equal(answer.status, 405);
    assert.equal(answer.headers['allow'], 'GET, HEAD');
  }
});

test('the handler fits the HTTP server', async () => {
  const handler = createAdminHandler({ checks: {}, registry: new MetricsRegistry() });
  const server = await HttpServer.start({ host: '127.0.0.1', port: 0, drainTimeoutMs: 100, handler });
  try {
    const answer = await fetch(`http://127.0.0.1:${server.address().port}/ready`);
    assert.equal(answer.status, 200);
    assert.deepEqual(await answer.json(), { ok: true, dependencies: { gateway: { ok: true } } });
  } finally {
    await server.close();
  }
});
