import assert from 'node:assert/strict';
import { it } from 'node:test';

import { MemoryShelf } from '../../../../src/crypto/pool/memory-shelf.ts';

it('gives memory of exactly the length that is asked for, once', () => {
  const shelf = new MemoryShelf(1000);
  const [long, short] = [new ArrayBuffer(300), new ArrayBuffer(200)];
  shelf.give(long);
  shelf.give(short);
  assert.equal(shelf.take(250), undefined);
  assert.equal(shelf.take(300), long);
  assert.equal(shelf.take(300), undefined);
  assert.equal(shelf.heldBytes, 200);
});

it('frees what it has had longest where it becomes too much, and all in the end', () => {
  const shelf = new MemoryShelf(500);
  const [first, second, third] = [new ArrayBuffer(300), new ArrayBuffer(200), new ArrayBuffer(100)];
  for (const buffer of [first, second, third]) shelf.give(buffer);
  assert.equal(first.detached, true);
  assert.equal(shelf.heldBytes, 300);
  assert.equal(shelf.take(300), undefined);
  shelf.clear();
  assert.equal(second.detached && third.detached, true);
  assert.equal(shelf.heldBytes, 0);
});
