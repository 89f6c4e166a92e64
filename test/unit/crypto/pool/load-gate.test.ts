import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { isBun } from '../../../../src/base/runtime.ts';
import { LoadGate, machineMs, type LoadTimes } from '../../../../src/crypto/pool/load-gate.ts';

/** A machine of four cores, on which seconds pass as told. */
class Machine {
  readonly gate: LoadGate;
  readings = 0;
  #times: LoadTimes = { nowMs: 1000, loopMs: 0, processMs: 0, machineMs: 0 };

  constructor(cores = 4) {
    const read = (): LoadTimes => {
      this.readings += 1;
      return this.#times;
    };
    this.gate = new LoadGate(cores, read, () => this.#times.nowMs);
    this.gate.allows();
  }

  /** A second with so much of each; says whether threads are wanted then. */
  second({ loop, threads = 0, others = 0 }: { loop: number; threads?: number; others?: number }): boolean {
    const { nowMs, loopMs, processMs, machineMs } = this.#times;
    const ownMs = (loop + threads) * 1000;
    this.#times = {
      nowMs: nowMs + 1000,
      loopMs: loopMs + loop * 1000,
      processMs: processMs + ownMs,
      machineMs: machineMs + ownMs + others * 1000,
    };
    this.gate.worked(threads * 1000);
    return this.gate.allows();
  }

  wait(ms: number): boolean {
    this.#times = { ...this.#times, nowMs: this.#times.nowMs + ms };
    return this.gate.allows();
  }
}

describe('LoadGate', () => {
  it('is shut before anything was measured', () => {
    assert.equal(new LoadGate(64).allows(), false);
  });

  it('opens for a busy event loop on a machine that is idle otherwise', () => {
    assert.equal(new Machine().second({ loop: 1 }), true);
    assert.equal(new Machine().second({ loop: 0.75 }), true);
  });

  it('stays shut while the event loop has time left', () => {
    assert.equal(new Machine().second({ loop: 0.5 }), false);
    assert.equal(new Machine().second({ loop: 0.05 }), false);
  });

  it('stays open while the event loop has time left only thanks to threads', () => {
    const machine = new Machine();
    assert.equal(machine.second({ loop: 1 }), true);
    assert.equal(machine.second({ loop: 0.4, threads: 0.4 }), true);
    assert.equal(machine.second({ loop: 0.3, threads: 0.1 }), false);
  });

  it('shuts where other processes need the cores, and not for its own threads', () => {
    const machine = new Machine();
    assert.equal(machine.second({ loop: 1, threads: 2.8 }), true);
    assert.equal(machine.second({ loop: 1, others: 2.3 }), true);
    assert.equal(machine.second({ loop: 1, others: 2.5 }), false);
    assert.equal(new Machine(1).second({ loop: 1 }), false);
    assert.equal(new Machine(2).second({ loop: 1, others: 0.3 }), true);
    assert.equal(new Machine(2).second({ loop: 1, others: 0.5 }), false);
  });

  it('measures five times a second at most, whatever it is asked', () => {
    const machine = new Machine();
    assert.equal(machine.second({ loop: 1 }), true);
    const { readings } = machine;
    for (let asked = 0; asked < 1000; asked += 1) assert.equal(machine.gate.allows(), true);
    assert.equal(machine.wait(199), true);
    assert.equal(machine.readings, readings);
    assert.equal(machine.wait(1), false);
    assert.equal(machine.readings, readings + 1);
  });

  it('reads the true load of this process', async () => {
    // The event loop counts its time from its first turn on.
    await sleep(5);
    const gate = new LoadGate(1000, undefined, () => performance.now() * 1000);
    gate.allows();
    for (const end = performance.now() + 60; performance.now() < end;);
    assert.equal(
      gate.allows(),
      !isBun,
      'a loop that did nothing but count was busy; Bun does not tell, and gets no threads',
    );
  });
});

/** By the other way that the system tells it. */
function byCores(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}

describe('the time of all cores', () => {
  // Each of four times of each core is cut to 10 ms.
  const roundingMs = cpus().length * 4 * 10;

  for (const [what, file] of [
    ['is what each core says', undefined],
    ['is found out where there is no such file', '/no/such/file'],
    ['is found out where the file says something else', import.meta.filename],
  ] as const) {
    it(what, () => {
      const before = byCores();
      const told = machineMs(file);
      const after = byCores();
      assert.ok(told >= before - roundingMs && told <= after + roundingMs, `${before}, ${told}, ${after}`);
      assert.ok(told > roundingMs * 2, 'the machine did something');
    });
  }

  it('leaves out waiting and what other machines took, and reads no further than the first line', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 's3eg-stat-'));
    context.after(() => rm(folder, { recursive: true }));
    const file = join(folder, 'stat');
    await writeFile(file, 'cpu  1 20 300 4000 50000 600000 7 8 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n');
    assert.equal(machineMs(file), (1 + 20 + 300 + 600_000) * 10);
  });
});
