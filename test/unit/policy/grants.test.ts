import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type AccessRequest, type Grant, isAllowed, seesBucket } from '../../../src/policy/grants.ts';

const grants: readonly Grant[] = [
  { buckets: ['logs-*'], prefixes: ['app/', 'users/*/public/'], actions: ['read', 'list'] },
  { buckets: ['drop'], prefixes: [''], actions: ['write'] },
  { buckets: ['own-*'], prefixes: [''], actions: ['read', 'write', 'delete', 'list', 'admin'] },
];

const cases: readonly [request: AccessRequest, allowed: boolean][] = [
  [{ action: 'read', bucket: 'logs-1', key: 'app/x' }, true],
  [{ action: 'read', bucket: 'logs-1', key: 'app' }, false],
  [{ action: 'read', bucket: 'logs-1', key: 'application/x' }, false],
  [{ action: 'read', bucket: 'logs-1', key: 'users/ann/public/x' }, true],
  [{ action: 'read', bucket: 'logs-1', key: 'users/ann/private/x' }, false],
  [{ action: 'read', bucket: 'logs', key: 'app/x' }, false],
  [{ action: 'write', bucket: 'logs-1', key: 'app/x' }, false],
  [{ action: 'list', bucket: 'logs-1', prefix: 'app/' }, true],
  [{ action: 'list', bucket: 'logs-1', prefix: 'app/2026/' }, true],
  [{ action: 'list', bucket: 'logs-1', prefix: 'app' }, false],
  [{ action: 'list', bucket: 'logs-1', prefix: '' }, false],
  [{ action: 'list', bucket: 'logs-1' }, false],
  [{ action: 'list', bucket: 'logs-1', prefix: 'users/' }, false],
  [{ action: 'list', bucket: 'logs-1', prefix: 'users/ann/public/' }, true],
  [{ action: 'write', bucket: 'drop', key: '../x' }, true],
  [{ action: 'read', bucket: 'drop', key: 'x' }, false],
  [{ action: 'admin', bucket: 'own-1' }, true],
  [{ action: 'admin', bucket: 'drop' }, false],
  [{ action: 'list', bucket: 'own-1' }, true],
  [{ action: 'delete', bucket: 'own-1', key: '' }, true],
];

for (const [request, allowed] of cases) {
  test(`${allowed ? 'allows' : 'denies'} ${JSON.stringify(request)}`, () => {
    assert.equal(isAllowed(grants, request), allowed);
  });
}

test('nothing is allowed without a grant, or by one with an empty list', () => {
  const request: AccessRequest = { action: 'read', bucket: 'b', key: 'k' };
  const full: Grant = { buckets: ['*'], prefixes: [''], actions: ['read'] };
  assert.equal(isAllowed([full], request), true);
  for (const denied of [[], [{ ...full, buckets: [] }], [{ ...full, prefixes: [] }], [{ ...full, actions: [] }]]) {
    assert.equal(isAllowed(denied, request), false);
  }
});

test('grants do not add up across their lists', () => {
  assert.equal(isAllowed(grants, { action: 'write', bucket: 'logs-1', key: 'x' }), false);
});

test('a bucket is seen by whoever has any grant on it', () => {
  assert.deepEqual(
    ['logs-1', 'drop', 'own-x', 'other', 'logs'].filter((bucket) => seesBucket(grants, bucket)),
    ['logs-1', 'drop', 'own-x'],
  );
});
