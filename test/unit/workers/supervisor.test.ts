import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import { loadSettings } from '../../../src/config/load.ts';
import type { Settings } from '../../../src/config/settings.ts';
import { silentLogger } from '../../../src/telemetry/logger.ts';
import { type MetricFamily, MetricsRegistry } from '../../../src/telemetry/metrics.ts';
import { WorkerTelemetry } from '../../../src/telemetry/worker-telemetry.ts';
import type { WorkerOrder } from '../../../src/workers/messages.ts';
import { Supervisor, type SupervisorOptions, type WorkerPlan } from '../../../src/workers/supervisor.ts';
import type { WorkerEnd, WorkerEvents, WorkerProcess } from '../../../src/workers/worker-process.ts';

const jobs = { name: 't_jobs_total', type: 'counter', help: 'Jobs.', labels: [] } as const;

/** A process that does what the test says. */
class FakeProcess implements WorkerProcess {
  static lastPid = 1000;
  readonly pid = (FakeProcess.lastPid += 1);
  readonly order: WorkerOrder;
  readonly events: WorkerEvents;
  readonly sent: number[] = [];
  readonly registry = new MetricsRegistry();
  readonly jobs = this.registry.counter(jobs);
  readonly #serving = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<WorkerEnd>();
  readonly serving = this.#serving.promise;
  readonly ended = this.#ended.promise;
  families: readonly MetricFamily[] = [];
  drained: { readonly idleGraceMs: number } | undefined;
  isKilled = false;
  isOver = false;

  constructor(order: WorkerOrder, events: WorkerEvents) {
    this.order = order;
    this.events = events;
    this.serving.catch(() => {});
  }

  serve(): void {
    this.#serving.resolve();
  }

  end(end: Partial<WorkerEnd> = {}): void {
    this.isOver = true;
    this.#serving.reject(new Error(end.failure ?? 'ended'));
    this.#ended.resolve({ code: 1, signal: null, ...end });
  }

  send(id: number): void {
    this.sent.push(id);
  }

  async refresh(): Promise<void> {
    this.families = this.registry.collect();
  }

  reopenAudit(): void {}

  drain(options: { readonly idleGraceMs: number }): void {
    this.drained = options;
  }

  kill(): void {
    this.isKilled = true;
    this.end({ code: null, signal: 'SIGKILL' });
  }
}

/** A supervisor of fakes. */
class Site {
  readonly processes: FakeProcess[] = [];
  readonly registry = new MetricsRegistry();
  readonly supervisor: Supervisor;

  constructor(options: Partial<SupervisorOptions> = {}) {
    this.supervisor = new Supervisor({
      start: (order, events) => {
        const process = new FakeProcess(order, events);
        this.processes.push(process);
        return process;
      },
      telemetry: new WorkerTelemetry({ logger: silentLogger, registry: this.registry }),
      backOff: { firstMs: 1000, random: () => 1 },
      ...options,
    });
  }

  /** The process that was started as the given one, counted from 0. */
  process(index: number): FakeProcess {
    const found = this.processes[index];
    assert.ok(found !== undefined, `only ${this.processes.length} processes were started`);
    return found;
  }

  async started(plan: WorkerPlan): Promise<this> {
    const starting = this.supervisor.start(plan);
    for (const process of this.processes) process.serve();
    await starting;
    return this;
  }

  crashes(): Record<string, number> {
    const family = this.registry.collect().find(({ descriptor }) => descriptor.name === 's3eg_worker_crashes_total');
    return Object.fromEntries(family?.samples.map(({ labels, value }) => [labels[0]?.[1], value]) ?? []);
  }
}

/** Lets everything happen that waits for nothing. */
async function settle(): Promise<void> {
  for (let round = 0; round < 5; round++) await turn();
}

/** Gives a function that lets so much time pass. */
function mocked(context: TestContext): (ms: number) => Promise<void> {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  return async (ms) => {
    context.mock.timers.tick(ms);
    await settle();
  };
}

const crypto = {
  suite: 'aes-256-gcm',
  instructions: [],
  bytesPerSecond: { 'aes-256-gcm': 1, 'chacha20-poly1305': 1 },
} as const;

describe('a supervisor', () => {
  let folder = '';
  let settings: Settings;
  const plan = (workers: number): WorkerPlan => ({ settings, workers, crypto });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 's3eg-supervisor-'));
    ({ settings } = await loadSettings({ env: {}, cwd: folder, firstStart: true }));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('starts all, and serves when all do', async () => {
    const site = new Site();
    const starting = site.supervisor.start(plan(3));
    assert.deepEqual(
      site.processes.map(({ order: { worker, workers } }) => [worker, workers]),
      [
        [1, 3],
        [2, 3],
        [3, 3],
      ],
    );
    assert.equal(site.supervisor.health().ok, false);
    site.process(0).serve();
    await settle();
    assert.deepEqual(site.supervisor.health(), { ok: true, reason: 'worker 2 is starting, worker 3 is starting' });
    site.process(1).serve();
    site.process(2).serve();
    await starting;
    assert.deepEqual(site.supervisor.health(), { ok: true });
  });

  it('leaves none where one cannot start', async () => {
    const site = new Site();
    const starting = site.supervisor.start(plan(2));
    site.process(0).serve();
    site.process(1).end({ failure: 'no certificate' });
    await assert.rejects(starting, /no certificate/);
    assert.ok(site.processes.every(({ isOver }) => isOver));
    assert.equal(site.processes.length, 2);
  });

  it('waits longer with each crash in a row, and begins anew after a good while', async (context) => {
    const pass = mocked(context);
    const site = await new Site().started(plan(2));
    site.process(1).end({ code: null, signal: 'SIGSEGV' });
    await settle();
    assert.deepEqual(site.supervisor.health(), { ok: true, reason: 'worker 2 is waiting to be started again' });
    for (const [index, waitMs] of [1000, 2000, 4000].entries()) {
      await pass(waitMs - 1);
      assert.equal(site.processes.length, 2 + index, `before ${waitMs} ms`);
      await pass(1);
      assert.equal(site.processes.length, 3 + index, `after ${waitMs} ms`);
      site.process(2 + index).end({ failure: 'still broken' });
      await settle();
    }
    assert.deepEqual(site.crashes(), { exit: 0, signal: 1, start: 3 });
    await pass(8000);
    site.process(5).serve();
    await settle();
    assert.deepEqual(site.supervisor.health(), { ok: true });
    assert.equal(site.process(5).order.worker, 2);
    assert.equal(site.process(0).isOver, false, 'the other one was not touched');
  });

  it('keeps the counts of processes that are gone', async (context) => {
    mocked(context);
    const site = await new Site().started(plan(2));
    site.process(0).jobs.add({}, 5);
    site.process(1).jobs.add({}, 7);
    const total = async (): Promise<number | undefined> => {
      const families = await site.supervisor.collect();
      return families.find(({ descriptor }) => descriptor.name === jobs.name)?.samples[0]?.value;
    };
    assert.equal(await total(), 12);
    site.process(1).end();
    await settle();
    assert.equal(await total(), 12);
  });

  it('replaces one after the other: a new one serves before an old one drains', async () => {
    const site = await new Site({ idleGraceMs: 10 }).started(plan(2));
    const replacing = site.supervisor.replace(plan(2));
    await settle();
    assert.equal(site.processes.length, 3);
    assert.equal(site.process(0).drained, undefined);
    site.process(2).serve();
    await settle();
    assert.deepEqual(site.process(0).drained, { idleGraceMs: 10 });
    assert.equal(site.processes.length, 3, 'the next one waits for the end of the old one');
    site.supervisor.give(new Socket());
    assert.deepEqual(site.process(0).sent, []);
    site.process(0).end({ code: 0 });
    await settle();
    site.process(3).serve();
    await settle();
    assert.deepEqual(site.process(1).drained, { idleGraceMs: 10 });
    site.process(1).end({ code: 0 });
    await replacing;
    assert.deepEqual(site.crashes(), { exit: 0, signal: 0, start: 0 });
    assert.deepEqual(site.supervisor.health(), { ok: true });
  });

  it('goes on as it was where the first new one does not start', async () => {
    const site = await new Site().started(plan(2));
    const replacing = site.supervisor.replace(plan(3));
    await settle();
    site.process(2).end({ failure: 'a bad certificate' });
    await assert.rejects(replacing, /a bad certificate/);
    assert.deepEqual(site.supervisor.health(), { ok: true });
    assert.equal(site.process(0).drained, undefined);
    site.supervisor.give(new Socket());
    assert.equal(site.process(0).sent.length + site.process(1).sent.length, 1);
    assert.equal(site.processes.length, 3);
  });

  it('tries a later new one again, and ends the old one then', async (context) => {
    const pass = mocked(context);
    const site = await new Site().started(plan(2));
    const replacing = site.supervisor.replace(plan(2));
    await settle();
    site.process(2).serve();
    await settle();
    site.process(0).end({ code: 0 });
    await settle();
    site.process(3).end({ failure: 'out of memory' });
    await replacing;
    assert.equal(site.process(1).drained, undefined, 'the old one serves on');
    await pass(1000);
    site.process(4).serve();
    await settle();
    assert.ok(site.process(1).drained !== undefined);
  });

  it('does not miss an old one that crashes while a new one starts', async (context) => {
    const pass = mocked(context);
    const site = await new Site().started(plan(2));
    const replacing = site.supervisor.replace(plan(2));
    await settle();
    site.process(0).end({ code: null, signal: 'SIGKILL' });
    await settle();
    site.process(2).end({ failure: 'a bad certificate' });
    await assert.rejects(replacing);
    await pass(1000);
    assert.equal(site.process(3).order.worker, 1);
    assert.equal(site.processes.length, 4);
  });

  it('ends workers that are not wanted any more, and starts more where they are', async () => {
    const site = await new Site().started(plan(2));
    const fewer = site.supervisor.replace(plan(1));
    await settle();
    site.process(2).serve();
    await settle();
    site.process(0).end({ code: 0 });
    await settle();
    site.process(1).end({ code: 0 });
    await fewer;
    assert.deepEqual(site.supervisor.health(), { ok: true });
    assert.equal(site.processes.length, 3);
  });

  it('kills what does not end within the drain timeout', async (context) => {
    const pass = mocked(context);
    const site = await new Site().started(plan(2));
    const stopping = site.supervisor.stop();
    site.process(0).end({ code: 0 });
    await pass(settings.listen.drainTimeoutMs);
    assert.equal(site.process(1).isKilled, false);
    await pass(10_000);
    assert.equal(site.process(1).isKilled, true);
    await stopping;
    await pass(60_000);
    assert.equal(site.processes.length, 2, 'none is started any more');
  });

  it('kills one that does not get to serve', async (context) => {
    const pass = mocked(context);
    const site = new Site({ startTimeoutMs: 5000 });
    const refused = assert.rejects(site.supervisor.start(plan(2)));
    site.process(0).serve();
    await pass(5000);
    await refused;
    assert.equal(site.process(1).isKilled, true);
  });

  it('starts none while it ends', async (context) => {
    const pass = mocked(context);
    const site = await new Site().started(plan(2));
    site.process(1).end();
    await settle();
    const stopping = site.supervisor.stop();
    site.process(0).end({ code: 0 });
    await stopping;
    await pass(60_000);
    assert.equal(site.processes.length, 2);
    const late = new Socket();
    site.supervisor.give(late);
    assert.equal(late.destroyed, true);
    await assert.rejects(site.supervisor.replace(plan(2)));
    assert.equal(site.processes.length, 2);
  });
});
