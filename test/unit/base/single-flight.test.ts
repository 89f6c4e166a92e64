import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';

import { SingleFlight } from '../../../src/base/single-flight.ts';

async function settled(): Promise<void> {
  await new Promise((resolve) => void setImmediate(resolve));
}

/** A call that is answered by the test, and what it was started with. */
function pending<V>() {
  const started: { readonly signal: AbortSignal; readonly answer: PromiseWithResolvers<V> }[] = [];
  const start = (signal: AbortSignal): Promise<V> => {
    const answer = Promise.withResolvers<V>();
    started.push({ signal, answer });
    return answer.promise;
  };
  return { started, start };
}

test('callers of the same key share one call and its result, and nothing is kept', async () => {
  const flights = new SingleFlight<string, object>();
  const { started, start } = pending<object>();
  const answers = Array.from({ length: 100 }, () => flights.run('a', start));
  assert.equal(started.length, 1, 'started synchronously');
  assert.equal(flights.size, 1);
  const value = {};
  started[0]?.answer.resolve(value);
  for (const answer of await Promise.all(answers)) assert.equal(answer, value);
  assert.equal(flights.size, 0);
  void flights.run('a', start);
  assert.equal(started.length, 2);
});

test('other keys have calls of their own', async () => {
  const flights = new SingleFlight<string, string>();
  const answers = ['a', 'b', 'a', 'c'].map((key) => flights.run(key, () => Promise.resolve(key.toUpperCase())));
  assert.equal(flights.size, 3);
  assert.deepEqual(await Promise.all(answers), ['A', 'B', 'A', 'C']);
});

test('a failure reaches all who wait and is not kept, also one that comes without a promise', async () => {
  const flights = new SingleFlight<string, number>();
  const failure = new Error('no');
  const throws = (): Promise<number> => {
    throw failure;
  };
  await assert.rejects(flights.run('a', throws), (error) => error === failure);
  assert.equal(await flights.run('a', () => Promise.resolve(7)), 7);
  const { started, start: later } = pending<number>();
  const waiting = [flights.run('b', later), flights.run('b', later)];
  started[0]?.answer.reject(failure);
  for (const promise of waiting) await assert.rejects(promise, (error) => error === failure);
  assert.equal(flights.size, 0);
});

test('who leaves is rejected alone, with his reason and at once', async () => {
  const flights = new SingleFlight<string, string>();
  const { started, start } = pending<string>();
  const leaver = new AbortController();
  const left = flights.run('a', start, leaver.signal);
  const stays = flights.run('a', start, new AbortController().signal);
  const reason = new Error('left');
  leaver.abort(reason);
  await assert.rejects(left, (error) => error === reason);
  assert.equal(started[0]?.signal.aborted, false);
  const joins = flights.run('a', start);
  started[0]?.answer.resolve('x');
  assert.deepEqual(await Promise.all([stays, joins]), ['x', 'x']);
  assert.equal(started.length, 1);
});

test('when the last one leaves the call is aborted, and who comes next starts another', async () => {
  const flights = new SingleFlight<string, string>();
  const { started, start } = pending<string>();
  const leavers = [new AbortController(), new AbortController()];
  const left = leavers.map((leaver) => flights.run('a', start, leaver.signal));
  for (const leaver of leavers) leaver.abort();
  for (const promise of left) await assert.rejects(promise, { name: 'AbortError' });
  assert.equal(started[0]?.signal.aborted, true);
  assert.equal(flights.size, 0);
  const next = flights.run('a', start);
  // The call that was given up answers late: it is nobody's, and must not end the new one.
  started[0]?.answer.reject(new Error('aborted'));
  await settled();
  assert.equal(flights.size, 1);
  started[1]?.answer.resolve('y');
  assert.equal(await next, 'y');
});

test('a caller without a signal keeps the call alive', async () => {
  const flights = new SingleFlight<string, string>();
  const { started, start } = pending<string>();
  const stays = flights.run('a', start);
  const leaver = new AbortController();
  const left = flights.run('a', start, leaver.signal);
  leaver.abort();
  await assert.rejects(left);
  assert.equal(started[0]?.signal.aborted, false);
  started[0]?.answer.resolve('x');
  assert.equal(await stays, 'x');
});

test('who has left before he came starts nothing', async () => {
  const flights = new SingleFlight<string, string>();
  const { started, start } = pending<string>();
  const reason = new Error('left');
  await assert.rejects(flights.run('a', start, AbortSignal.abort(reason)), (error) => error === reason);
  assert.equal(started.length, 0);
  assert.equal(flights.size, 0);
});

test('leaving after the answer changes nothing, and no listener stays behind', async () => {
  const flights = new SingleFlight<string, string>();
  const { started, start } = pending<string>();
  const caller = new AbortController();
  const { signal } = caller;
  const answer = flights.run('a', start, signal);
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  started[0]?.answer.resolve('x');
  assert.equal(await answer, 'x');
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  caller.abort();
  assert.equal(started[0]?.signal.aborted, false);
});

test('a call may ask for its own key without starting itself again', async () => {
  const flights = new SingleFlight<string, string>();
  let inner: Promise<string> | undefined;
  const outer = flights.run('a', async () => {
    inner = flights.run('a', () => Promise.reject(new Error('started twice')));
    await settled();
    return 'x';
  });
  assert.equal(await outer, 'x');
  assert.equal(await inner, 'x');
});
