import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { SecretBytes } from '../../../../src/crypto/secret-bytes.ts';
import { KeyError } from '../../../../src/keys/key-provider.ts';
import { VaultTransitKey } from '../../../../src/keys/vault-transit/transit-key.ts';
import type { VaultTransitOptions } from '../../../../src/keys/vault-transit/vault-options.ts';
import { FakeVault, type VaultCall } from '../../../support/fake-vault.ts';
import { context, keyError } from '../support.ts';

const approle = { method: 'approle', mount: 'approle', roleId: 'role', secretId: 'right-secret' } as const;

function plain(): SecretBytes {
  return new SecretBytes(new Uint8Array(32).fill(9));
}

function isOf(operation: string): (call: VaultCall) => boolean {
  return ({ path }) => path === `transit/${operation}/main`;
}

describe('a key of Vault Transit', () => {
  let vault: FakeVault;
  const opened: VaultTransitKey[] = [];
  const folder = mkdtemp(join(tmpdir(), 's3eg-vault-'));
  after(async () => rm(await folder, { recursive: true }));

  beforeEach(async () => {
    vault = await FakeVault.start();
    vault.createKey('main');
  });
  afterEach(async () => {
    for (const key of opened.splice(0)) await key.close();
    await vault.down();
  });

  const open = (options: Partial<VaultTransitOptions> = {}): VaultTransitKey => {
    const key = new VaultTransitKey({
      name: 'vault',
      address: vault.address,
      mount: 'transit',
      key: 'main',
      auth: options.auth ?? { method: 'token', token: vault.newToken() },
      timeoutMs: 1000,
      retries: 2,
      ...options,
    });
    opened.push(key);
    return key;
  };

  const failingTwice = (status: number) => {
    let failures = 0;
    vault.intercept = (call) =>
      isOf('encrypt')(call) && failures++ < 2 ? { status, body: { errors: ['later'] } } : undefined;
  };

  test('sends the namespace with everything but the question for the server’s own health', async () => {
    const key = open({ namespace: 'team/a' });
    await key.wrap(plain(), context);
    vault.health = 503;
    await key.health();
    const asked = vault.calls.map(({ path, headers }) => [path === 'sys/health', headers['x-vault-namespace']]);
    assert.ok(asked.length > 4);
    for (const [isHealth, namespace] of asked) assert.equal(namespace, isHealth === true ? undefined : 'team/a');
  });

  test('binds keys to policy and bucket by associated data, and derived keys by their context too', async () => {
    vault.createKey('derived', { derived: true });
    await open().wrap(plain(), context);
    await open({ key: 'derived' }).wrap(plain(), context);
    const [bound, derived] = ['main', 'derived'].map((name) =>
      vault.calls.findLast(({ path }) => path === `transit/encrypt/${name}`),
    );
    // u16be length | policy | u16be length | bucket
    const encoded = Buffer.from('\0\u0008tenant-a\0\u0004logs').toString('base64');
    assert.deepEqual([bound?.body['associated_data'], bound?.body['context']], [encoded, undefined]);
    assert.deepEqual([derived?.body['associated_data'], derived?.body['context']], [encoded, encoded]);
  });

  test('wraps nothing where the server passes over associated data, or the key cannot take any', async () => {
    vault.ignoresAssociatedData = true;
    const key = open();
    await assert.rejects(key.wrap(plain(), context), (error) => {
      assert.ok(error instanceof KeyError && error.code === 'misconfigured');
      assert.match(error.message, /too old for associated data.*derived=true/);
      return true;
    });
    assert.ok(!vault.calls.some(({ body }) => body['plaintext'] === Buffer.from(plain().bytes).toString('base64')));
    vault.ignoresAssociatedData = false;
    await key.wrap(plain(), context);
    vault.createKey('rsa', { type: 'rsa-2048' });
    await assert.rejects(open({ key: 'rsa' }).wrap(plain(), context), keyError('misconfigured'));
    assert.match((await open({ key: 'rsa' }).health()).reason ?? '', /rsa-2048/);
  });

  describe('health', () => {
    for (const [what, status, answer, reason] of [
      ['a sealed server', 503, undefined, /is sealed/],
      ['a server that is not initialised', 501, undefined, /not initialised/],
      ['a standby that reaches no active server', 429, 500, /standby/],
      ['a disaster recovery secondary', 472, 400, /disaster recovery/],
      ['a token without permission', 200, 403, /does not let the gateway read the key.*policy/],
      ['a key that is missing', 200, 404, /no Transit key at http:\/\/127.0.0.1:\d+\/v1\/transit\/keys\/main/],
      ['a server that fails', 200, 500, /Vault fails \(500: internal\)/],
    ] as const) {
      test(`tells ${what}`, async () => {
        const key = open();
        assert.deepEqual(await key.health(), { ok: true });
        vault.health = status;
        vault.intercept = (call) =>
          isOf('keys')(call) && answer !== undefined ? { status: answer, body: { errors: ['internal'] } } : undefined;
        const { ok, reason: told = '' } = await key.health();
        assert.equal(ok, false);
        assert.match(told, reason);
      });
    }

    test('is well on a standby that passes requests on', async () => {
      vault.health = 429;
      assert.deepEqual(await open().health(), { ok: true });
    });

    test('tells a server that is not there, and one that does not answer, in a single try', async () => {
      const key = open({ timeoutMs: 100, retries: 5 });
      vault.intercept = () => 'silent';
      assert.match((await key.health()).reason ?? '', /no answer within 100 ms/);
      await vault.down();
      assert.match((await key.health()).reason ?? '', /cannot be reached: ECONNREFUSED/);
      await vault.up();
    });
  });

  describe('the login', () => {
    test('is made anew when the token is refused, once', async () => {
      const key = open({ auth: approle });
      await key.wrap(plain(), context);
      vault.tokens.clear();
      await key.wrap(plain(), context);
      assert.equal(vault.count('auth/approle/login'), 2);
      vault.intercept = (call) => (isOf('encrypt')(call) ? { status: 403, body: { errors: ['no'] } } : undefined);
      for (let count = 0; count < 5; count++) await assert.rejects(key.wrap(plain(), context), keyError('denied'));
      assert.equal(vault.count('auth/approle/login'), 2, 'a refusal that is meant is no reason to log in each time');
    });

    test('is shared by all who need it at once', async () => {
      const key = open({ auth: approle });
      await Promise.all(Array.from({ length: 20 }, () => key.describe()));
      assert.equal(vault.count('auth/approle/login'), 1);
    });

    test('says which login was refused, and nothing of the secret', async () => {
      const key = open({ auth: { ...approle, secretId: 'wrong-secret' } });
      await assert.rejects(key.describe(), (error) => {
        assert.ok(error instanceof KeyError && error.code === 'denied');
        assert.match(error.message, /login by approle at auth\/approle \(400: invalid role or secret ID\)/);
        assert.ok(!error.message.includes('wrong-secret'));
        return true;
      });
    });

    test('is renewed before the lease is over', async () => {
      vault.lease = { seconds: 1, renewable: true };
      const key = open({ auth: approle });
      await key.describe();
      await delay(1500);
      await key.describe();
      assert.ok(vault.count('auth/token/renew-self') >= 1);
      assert.equal(vault.count('auth/approle/login'), 1);
    });

    test('is made anew before the lease is over where it cannot be renewed', async () => {
      vault.lease = { seconds: 1, renewable: false };
      const key = open({ auth: approle });
      await key.describe();
      await delay(1000);
      assert.equal(vault.count('auth/token/renew-self'), 0);
      assert.ok(vault.count('auth/approle/login') >= 2);
    });

    test('renews a given token too', async () => {
      vault.lease = { seconds: 1, renewable: true };
      await open().describe();
      await delay(1000);
      assert.ok(vault.count('auth/token/renew-self') >= 1);
    });

    test('reads a token file again when the token is refused', async () => {
      const tokenFile = join(await folder, 'token');
      await writeFile(tokenFile, `${vault.newToken()}\n`);
      const key = open({ auth: { method: 'token', tokenFile } });
      await key.describe();
      vault.tokens.clear();
      await writeFile(tokenFile, vault.newToken());
      await key.describe();
    });

    test('reads the service account’s token at each login', async () => {
      const tokenFile = join(await folder, 'jwt');
      await writeFile(tokenFile, 'expired-jwt');
      const key = open({ auth: { method: 'kubernetes', mount: 'k8s/eu', role: 'gateway', tokenFile } });
      await assert.rejects(key.describe(), keyError('denied'));
      await writeFile(tokenFile, 'right-jwt\n');
      await key.describe();
      assert.deepEqual(vault.calls.find(({ path }) => path === 'auth/k8s/eu/login')?.body['role'], 'gateway');
    });

    test('names a file that is not there', async () => {
      const key = open({ auth: { ...approle, secretIdFile: '/nowhere/secret-id' } });
      await assert.rejects(key.describe(), (error) => {
        assert.ok(error instanceof KeyError && error.code === 'misconfigured');
        assert.match(error.message, /\/nowhere\/secret-id/);
        return true;
      });
    });

    test('refuses a token that no header can hold, and loses no connection by it', async () => {
      const tokenFile = join(await folder, 'broken');
      await writeFile(tokenFile, 'to\nken');
      const key = open({ auth: { method: 'token', tokenFile } });
      for (let count = 0; count < 20; count++) await assert.rejects(key.describe(), keyError('denied'));
      await writeFile(tokenFile, vault.newToken());
      await key.describe();
    });
  });

  describe('a call', () => {
    for (const status of [412, 429, 500, 502, 503]) {
      test(`is tried again after status ${status}`, async () => {
        const key = open();
        failingTwice(status);
        await key.wrap(plain(), context);
      });
    }

    test('ends as unavailable when all tries failed', async () => {
      const key = open({ retries: 1 });
      await key.wrap(plain(), context);
      failingTwice(503);
      await assert.rejects(key.wrap(plain(), context), keyError('unavailable'));
    });

    test('is not tried again when it is refused, and a rotation never', async () => {
      const key = open();
      await key.describe();
      vault.calls.length = 0;
      vault.intercept = ({ path }) => (path === 'transit/keys/main/rotate' ? { status: 500 } : { status: 400 });
      await assert.rejects(key.rotate(), keyError('unavailable'));
      await assert.rejects(key.describe(), keyError('misconfigured'));
      assert.equal(vault.calls.length, 2);
    });

    test('ends after twice the timeout, or when its caller leaves', async () => {
      const key = open({ timeoutMs: 150, retries: 10 });
      await key.describe();
      vault.intercept = () => 'silent';
      const startedMs = performance.now();
      await assert.rejects(key.describe(), keyError('unavailable'));
      assert.ok(performance.now() - startedMs < 2000);
      const reason = new Error('the client has left');
      const controller = new AbortController();
      const call = key.describe(controller.signal);
      setTimeout(() => controller.abort(reason), 20);
      await assert.rejects(call, (error) => error === reason);
    });

    test('takes nothing for an answer that is none', async () => {
      const key = open();
      for (const body of [{}, { data: {} }, { data: { latest_version: -1, type: 'aes256-gcm96' } }, { data: [] }]) {
        vault.intercept = (call) => (isOf('keys')(call) ? { status: 200, body } : undefined);
        await assert.rejects(key.describe(), keyError('misconfigured'));
      }
      vault.intercept = (call) =>
        isOf('keys')(call) ? { status: 200, body: { fill: 'x'.repeat(2 ** 21) } } : undefined;
      await assert.rejects(key.describe(), keyError('unavailable'));
      vault.intercept = (call) =>
        isOf('encrypt')(call) ? { status: 200, body: { data: { ciphertext: 'vault:v1:***' } } } : undefined;
      await assert.rejects(key.wrap(plain(), context), keyError('misconfigured'));
    });
  });

  test('lists versions that are retired apart', async () => {
    const key = open();
    for (let count = 0; count < 3; count++) vault.rotate('main');
    await key.retire('2');
    assert.deepEqual(await key.describe(), { versions: ['4', '3'], retired: ['2', '1'] });
    await key.destroy('1');
    assert.deepEqual(await key.describe(), { versions: ['4', '3'], retired: ['2'] });
  });

  test('destroys no version together with older ones that are in use', async () => {
    const key = open();
    for (let count = 0; count < 3; count++) vault.rotate('main');
    await assert.rejects(key.destroy('3'), keyError('misconfigured'));
    assert.deepEqual((await key.describe()).versions, ['4', '3', '2', '1']);
  });
});
