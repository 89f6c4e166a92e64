import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createAdminHandler } from '../../../src/admin/admin-handler.ts';
import { MetricsRegistry } from '../../../src/telemetry/metrics.ts';
import { TestKeyService } from '../keys/support.ts';

const token = 'a-token-of-the-admin-api';
const path = '/api/v1/keys/main/rotate';

function start(configured: string | undefined = token) {
  const service = new TestKeyService('main');
  const fixed = new TestKeyService('fixed');
  Object.defineProperty(fixed, 'rotate', { value: undefined });
  const rotations: string[] = [];
  const told: string[] = [];
  const handler = createAdminHandler({
    checks: {},
    registry: new MetricsRegistry(),
    api: {
      ...(configured === '' ? {} : { token: configured }),
      keys: new Map([
        ['main', service],
        ['fixed', fixed],
      ]),
      rotationObserver: () => ({
        started: async ({ keyName }) => void told.push(`started ${keyName}`),
        rotated: async ({ keyName, previous, current }) => void rotations.push(`${keyName} ${previous} ${current}`),
        failed: async ({ keyName }) => void told.push(`failed ${keyName}`),
      }),
    },
  });
  const send = async (target: string, authorization?: string, method = 'POST') => {
    const headers = authorization === undefined ? {} : { authorization };
    const { status, body, headers: answered } = await handler({ method, target, headers });
    return { status, headers: answered, body: JSON.parse(body) };
  };
  return { service, send, rotations, told };
}

test('a key is rotated by who has the token', async () => {
  const { send, rotations, told } = start();
  const { status, body } = await send(path, `Bearer ${token}`);
  assert.deepEqual([status, body], [200, { key: 'main', previous: 'v1', current: 'v2' }]);
  assert.deepEqual(rotations, ['main v1 v2']);
  assert.deepEqual(told, ['started main']);
});

test('nobody else learns or changes anything', async () => {
  const { service, send, rotations } = start();
  const wrong = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
    `Basic ${token}`,
    token,
  ];
  for (const header of wrong) {
    for (const target of [path, '/api/v1/keys/nobody/rotate', '/api/v1/', '/api/v1/x']) {
      const { status, headers, body } = await send(target, header);
      assert.deepEqual(
        [status, headers['www-authenticate'], body],
        [401, 'Bearer', { error: 'a bearer token is needed' }],
      );
    }
  }
  assert.deepEqual((await service.describe()).versions, ['v1']);
  assert.deepEqual(rotations, []);
});

test('without a configured token everything is refused', async () => {
  const { service, send } = start('');
  for (const header of [undefined, 'Bearer ', 'Bearer undefined', `Bearer ${token}`]) {
    assert.equal((await send(path, header)).status, 403);
  }
  assert.deepEqual((await service.describe()).versions, ['v1']);
});

test('what cannot be done is told apart', async () => {
  const { service, send, rotations } = start();
  const statusOf = async (target: string, method?: string): Promise<number> =>
    (await send(target, `bearer ${token}`, method)).status;
  assert.equal(await statusOf('/api/v1/keys/nobody/rotate'), 404);
  assert.equal(await statusOf('/api/v1/keys/main/destroy'), 404);
  assert.equal(await statusOf('/api/v1/keys/main%2f/rotate'), 404);
  assert.equal(await statusOf(path, 'GET'), 405);
  assert.equal(await statusOf('/api/v1/keys/fixed/rotate'), 409);
  service.fail('unavailable');
  assert.equal(await statusOf(path), 503);
  service.fail('denied');
  assert.equal(await statusOf(path), 409);
  assert.deepEqual(rotations, []);
});
