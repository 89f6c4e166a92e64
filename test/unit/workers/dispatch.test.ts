import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';

import { Dispatch, type Receiver } from '../../../src/workers/dispatch.ts';

/** A worker that takes connections when it is told to. */
class FakeWorker implements Receiver {
  readonly dispatch: Dispatch;
  readonly sent: { readonly id: number; readonly socket: Socket }[] = [];
  readonly taken: Socket[] = [];

  constructor(dispatch: Dispatch) {
    this.dispatch = dispatch;
    dispatch.add(this);
  }

  send(id: number, socket: Socket): void {
    this.sent.push({ id, socket });
  }

  /** Takes everything that was sent. */
  takeAll(): void {
    for (const { id, socket } of this.sent.splice(0)) {
      this.taken.push(socket);
      this.dispatch.taken(this, { id, open: this.taken.length });
    }
  }
}

function give(dispatch: Dispatch, count: number): Socket[] {
  const sockets = Array.from({ length: count }, () => new Socket());
  for (const socket of sockets) dispatch.give(socket);
  return sockets;
}

describe('connections', () => {
  it('are given to the worker that has the fewest', () => {
    const dispatch = new Dispatch();
    const workers = [new FakeWorker(dispatch), new FakeWorker(dispatch), new FakeWorker(dispatch)];
    give(dispatch, 12);
    assert.deepEqual(
      workers.map(({ sent }) => sent.length),
      [4, 4, 4],
    );
    for (const worker of workers) worker.takeAll();
    // One that comes later gets the next ones, until it has as many.
    const late = new FakeWorker(dispatch);
    give(dispatch, 4);
    assert.equal(late.sent.length, 4);
  });

  it('count where they end: who says that it has fewer gets more', () => {
    const dispatch = new Dispatch();
    const [one, two] = [new FakeWorker(dispatch), new FakeWorker(dispatch)];
    give(dispatch, 8);
    for (const worker of [one, two]) worker.takeAll();
    one.taken.splice(0); // Three clients are gone; the next connection tells.
    give(dispatch, 2);
    for (const worker of [one, two]) worker.takeAll();
    give(dispatch, 3);
    assert.deepEqual([one.sent.length, two.sent.length], [3, 0]);
  });

  it('are closed here once a worker has them, and not before', () => {
    const dispatch = new Dispatch();
    const worker = new FakeWorker(dispatch);
    const [socket] = give(dispatch, 1);
    assert.equal(socket?.destroyed, false);
    worker.takeAll();
    assert.equal(socket?.destroyed, true);
  });

  it('that a worker had not taken when it died go to another, those that it had do not', () => {
    const dispatch = new Dispatch();
    const doomed = new FakeWorker(dispatch);
    const [had] = give(dispatch, 1);
    doomed.takeAll();
    const [onTheirWay] = [give(dispatch, 2)];
    const other = new FakeWorker(dispatch);
    dispatch.remove(doomed);
    assert.deepEqual(
      other.sent.map(({ socket }) => socket),
      onTheirWay,
    );
    assert.ok(onTheirWay.every(({ destroyed }) => !destroyed));
    assert.equal(had?.destroyed, true);
  });

  it('that a worker returns go to another, and none to one that is paused', () => {
    const dispatch = new Dispatch();
    const draining = new FakeWorker(dispatch);
    const [socket] = give(dispatch, 1);
    dispatch.pause(draining);
    const other = new FakeWorker(dispatch);
    dispatch.returned(draining, draining.sent[0]?.id ?? 0);
    assert.equal(other.sent[0]?.socket, socket);
    give(dispatch, 5);
    assert.deepEqual([draining.sent.length, other.sent.length], [1, 6]);
  });

  it('wait where nobody serves, a bounded number of them, and are closed with the gateway', () => {
    const dispatch = new Dispatch();
    const waiting = give(dispatch, 1001);
    assert.deepEqual(
      waiting.filter(({ destroyed }) => destroyed),
      [waiting.at(-1)],
    );
    const worker = new FakeWorker(dispatch);
    assert.equal(worker.sent.length, 1000);
    dispatch.remove(worker);
    dispatch.close();
    assert.ok(waiting.every(({ destroyed }) => destroyed));
  });

  it('are not closed by what a worker says of others', () => {
    const dispatch = new Dispatch();
    const [one, two] = [new FakeWorker(dispatch), new FakeWorker(dispatch)];
    const [socket] = give(dispatch, 1);
    dispatch.taken(two, { id: one.sent[0]?.id ?? 0, open: 1 });
    dispatch.returned(two, one.sent[0]?.id ?? 0);
    assert.equal(socket?.destroyed, false);
    assert.equal(two.sent.length, 0);
  });
});
