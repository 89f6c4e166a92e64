import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';

import { StopSignals } from '../../../src/cli/stop-signals.ts';

/** Signals by hand, and what became of the process. */
function harness() {
  const source = new EventEmitter();
  const clock = { ms: 1_000_000, now: () => clock.ms };
  const exits: number[] = [];
  const stop = new StopSignals({ source, clock, exit: (code) => exits.push(code) });
  const hear = (signal: string, afterMs: number): void => {
    clock.ms += afterMs;
    source.emit(signal);
  };
  return { source, exits, stop, hear };
}

describe('stop signals', () => {
  it('stop with the first one, which is remembered', () => {
    const { stop, hear, exits } = harness();
    assert.equal(stop.signal.aborted, false);
    hear('SIGTERM', 0);
    assert.equal(stop.signal.aborted, true);
    assert.equal(stop.received, 'SIGTERM');
    hear('SIGINT', 10);
    assert.equal(stop.received, 'SIGTERM');
    assert.deepEqual(exits, []);
  });

  it('take one Ctrl-C that arrives over several ways for one', () => {
    const { hear, exits } = harness();
    hear('SIGINT', 0);
    for (const afterMs of [0, 1, 30, 200]) hear('SIGINT', afterMs);
    assert.deepEqual(exits, []);
  });

  it('end the process with 130 at a second SIGINT', () => {
    for (const first of ['SIGINT', 'SIGTERM']) {
      const { hear, exits } = harness();
      hear(first, 0);
      hear('SIGINT', 500);
      assert.deepEqual(exits, [130], first);
    }
  });

  it('never end it at a second SIGTERM: supervisors repeat it', () => {
    const { hear, exits } = harness();
    hear('SIGTERM', 0);
    hear('SIGTERM', 5_000);
    assert.deepEqual(exits, []);
  });

  it('leave no listener behind', () => {
    const { source, stop } = harness();
    assert.deepEqual(new Set(source.eventNames()), new Set(['SIGINT', 'SIGTERM']));
    stop[Symbol.dispose]();
    assert.deepEqual(source.eventNames(), []);
  });
});
