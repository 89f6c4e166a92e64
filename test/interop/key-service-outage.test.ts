/** Vault dies under load, stays away past `offlineTtl`, and comes back; and what is said of it holds no secret. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { startBackend } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { KeyServiceProxy } from './support/key-service-proxy.ts';
import { run } from './support/processes.ts';
import { loadClient, told } from './support/s3-load.ts';
import { ownWorkspace } from './support/site.ts';
import { repository } from './support/tools.ts';
import { VaultServer } from './support/vault-server.ts';
import { until } from './support/workspace.ts';

const ttlMs = 1000;
const offlineTtlMs = 6000;
/** Whose secret is one of those that nothing may show. */
const operator = {
  accessKeyId: 'OPERATOR',
  secretAccessKey: 'known-secret-of-the-operator',
  allow: [{ actions: ['read'] }],
};
const unavailable = /^503 \d+ KeyUnavailable$/;

interface Outcome {
  readonly atMs: number;
  /** `200`, or status, Retry-After and code of a refusal. */
  readonly put: string;
  readonly get: string;
}

/** Writes a new object and reads an old one, again and again; four at a time. */
class Load {
  readonly outcomes: Outcome[] = [];
  /** Keys of the objects that the gateway said it stored. */
  readonly stored: string[] = [];
  readonly tried: string[] = [];
  readonly #gateway: Gateway;
  readonly #workers: Promise<void>;
  #isOver = false;
  #count = 0;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    this.#workers = Promise.all(Array.from({ length: 4 }, () => this.#work())).then(() => undefined);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#workers;
  }

  /** Outcomes between two times. */
  between(startMs: number, endMs: number): readonly Outcome[] {
    return this.outcomes.filter(({ atMs }) => atMs >= startMs && atMs < endMs);
  }

  async #work(): Promise<void> {
    using client = loadClient(this.#gateway);
    while (!this.#isOver) {
      const key = `object-${this.#count++}`;
      const atMs = performance.now();
      this.tried.push(key);
      const put = told(await client.put('bucket', key, contentOf(key)));
      if (put === '200') this.stored.push(key);
      const get = told(await client.get('bucket', 'first'));
      this.outcomes.push({ atMs, put, get });
      await sleep(20);
    }
  }
}

function contentOf(key: string): string {
  return `content of ${key} `.repeat(50);
}

describe('Vault dies under load', () => {
  const workspace = ownWorkspace();
  let vault: VaultServer;
  let gateway: Gateway;

  before(async () => {
    vault = await VaultServer.start(workspace);
    await vault.createKey('s3eg');
    await vault.usePolicy('gateway', 's3eg', 'Vault policy of the gateway');
    const { roleId, secretId } = await vault.appRole('gateway', ['gateway']);
    const auth = { method: 'approle', roleId, secretId };
    const kek = { type: 'vault-transit', address: vault.address, key: 's3eg', auth, timeoutMs: 1000, retries: 1 };
    const dataKeyCache = { ttl: `${ttlMs}ms`, offlineTtl: `${offlineTtlMs}ms` };
    const backend = await startBackend('embedded', workspace);
    gateway = await Gateway.start({ workspace, backend, settings: { keys: { kek }, dataKeyCache } });
  });

  test('reads and writes go on for offlineTtl, then are refused with Retry-After, and are served again when it is back', async () => {
    using client = loadClient(gateway);
    await client.createBucket('bucket');
    await client.put('bucket', 'first', contentOf('first'));
    const load = new Load(gateway);
    await sleep(1500);

    assert.equal((await gateway.admin('/ready')).status, 200);
    const killedMs = performance.now();
    await vault.kill();
    await sleep(2500);
    // A balancer must not take away what still serves.
    const tidedOver = await gateway.admin('/ready');
    assert.equal(tidedOver.status, 200);
    assert.match(tidedOver.text, /ECONNREFUSED.*keys in memory serve on/);
    await until('the first refusal', async () => load.outcomes.some(({ put, get }) => put !== '200' && get !== '200'));
    const servedMs = offlineTtlMs - ttlMs;
    const during = load.between(killedMs, killedMs + servedMs);
    assert.ok(during.length > 20, `${during.length} requests while it was away`);
    for (const { put, get } of during) assert.deepEqual([put, get], ['200', '200']);
    const refused = load.outcomes.filter(({ put }) => put !== '200');
    for (const { put } of refused) assert.match(put, unavailable);

    // Past offlineTtl nothing is served at all, and /ready names the cause.
    const overMs = killedMs + ttlMs + offlineTtlMs + 1500;
    await until('the end of offlineTtl', async () => performance.now() > overMs + 1000);
    const after = load.between(overMs, Infinity);
    assert.ok(after.length > 0);
    for (const { put, get } of after) {
      assert.match(put, unavailable);
      assert.match(get, unavailable);
    }
    const ready = await gateway.admin('/ready');
    assert.equal(ready.status, 503);
    assert.match(ready.text, /key:kek.*Vault at http:\/\/127\.0\.0\.1:\d+ cannot be reached: ECONNREFUSED/);
    assert.equal((await gateway.admin('/live')).status, 200);

    await vault.startProcess();
    const backMs = performance.now();
    await until('the first answer', async () => load.between(backMs, Infinity).some(({ put }) => put === '200'));
    const recoveredMs = performance.now() - backMs;
    assert.ok(recoveredMs < 6000, `${recoveredMs} ms until it served again`);
    await until('readiness', async () => (await gateway.admin('/ready')).status === 200);
    await sleep(500);
    await load.stop();
    const last = load.outcomes.at(-1);
    assert.deepEqual([last?.put, last?.get], ['200', '200']);

    // What was said to be stored is, whole; what was refused is not there at all.
    assert.ok(load.stored.length > 50 && load.stored.length < load.tried.length);
    const stored = new Set(load.stored);
    for (const key of load.tried) {
      const { status, text } = await client.get('bucket', key);
      assert.deepEqual([status, status === 200 ? text : ''], stored.has(key) ? [200, contentOf(key)] : [404, ''], key);
    }
  });
});

describe('logs, metrics, /ready, errors and audit events', () => {
  const workspace = ownWorkspace();

  test('hold neither tokens nor secret ids nor keys, whatever fails', async () => {
    const vault = await VaultServer.start(workspace);
    await vault.createKey('s3eg');
    await vault.usePolicy('gateway', 's3eg', 'Vault policy of the gateway');
    const { roleId, secretId } = await vault.appRole('gateway', ['gateway']);
    const token = await vault.token(['gateway']);
    const proxy = await KeyServiceProxy.start(vault.address, workspace);
    const vaultKey = { type: 'vault-transit', address: proxy.endpoint, key: 's3eg', timeoutMs: 1000, retries: 0 };
    const known = 'known-secret-of-aws-kms-0123456789';
    const keys = {
      role: { ...vaultKey, auth: { method: 'approle', roleId, secretId } },
      token: { ...vaultKey, auth: { method: 'token', token } },
      wrong: { ...vaultKey, auth: { method: 'token', token: 'hvs.known-secret-token' } },
      aws: {
        type: 'aws-kms',
        keyId: 'alias/x',
        region: 'eu-central-1',
        endpoint: proxy.endpoint,
        credentials: { accessKeyId: 'AKIAKNOWN', secretAccessKey: known, sessionToken: `${known}-session` },
        timeoutMs: 500,
        retries: 0,
      },
    };
    const policies = Object.keys(keys).map((key) => ({
      name: key,
      match: { buckets: [`${key}-*`] },
      encryption: { key },
    }));
    const backend = await startBackend('embedded', workspace);
    const operatorsPlace = await workspace.folder('operator');
    const auditFile = join(operatorsPlace, 'audit.jsonl');
    const settings = {
      keys,
      policies,
      audit: { sinks: [{ type: 'stdout' }, { type: 'file', file: auditFile }] },
      telemetry: { logLevel: 'trace' },
      dataKeyCache: { ttl: '0s', offlineTtl: '0s' },
    };
    const gateway = await Gateway.start({ workspace, backend, settings });
    using client = loadClient(gateway);
    const seen: string[] = [];
    /** What an operator sees who tries to rotate each of them. */
    const rotateAll = async (): Promise<void> => {
      await writeFile(join(operatorsPlace, 'gateway.yaml'), JSON.stringify({ ...settings, credentials: [operator] }));
      for (const key of Object.keys(keys)) {
        const args = [join(repository, 'bin/s3eg.mjs'), 'keys', 'rotate', '--key', key, '--config', 'gateway.yaml'];
        const env = { PATH: '/usr/bin:/bin', HOME: operatorsPlace };
        const { code, stdout, stderr } = await run({ program: execPath, args, cwd: operatorsPlace, env });
        assert.notEqual(code, 0, key);
        seen.push(stdout, stderr);
      }
    };
    const tryAll = async (): Promise<void> => {
      for (const key of Object.keys(keys)) {
        await client.createBucket(`${key}-bucket`);
        for (const answer of [
          await client.put(`${key}-bucket`, 'object', 'content'),
          await client.get(`${key}-bucket`, 'object'),
        ]) {
          seen.push(JSON.stringify(answer.headers), answer.text);
        }
      }
      for (const path of ['/ready', '/metrics']) seen.push((await gateway.admin(path)).text);
    };
    await tryAll();
    await rotateAll();
    await vault.ok('DELETE', 'sys/policies/acl/gateway');
    await tryAll();
    await vault.seal();
    await tryAll();
    await vault.kill();
    await sleep(2100); // `/ready` stands for two seconds.
    await tryAll();
    await gateway.stop();
    seen.push(gateway.output, await readFile(auditFile, 'utf8'));

    const everything = seen.join('\n');
    for (const key of Object.keys(keys)) {
      for (const event of ['key_unusable', 'key_rotation_failed']) {
        const line = new RegExp(`"event":"${event}".*"key_name":"${key}"`);
        assert.match(seen.at(-1) ?? '', line, 'in the file');
        assert.match(seen.slice(0, -1).join('\n'), line, 'on standard output, or an operator’s standard error');
      }
    }
    for (const sign of ['is sealed', 'does not let the gateway', 'KeyUnavailable', 's3eg_key_operations_total']) {
      assert.ok(everything.includes(sign), `the failures are not told: ${sign}`);
    }
    assert.ok(proxy.seenKeys.size >= 4, 'keys passed to be wrapped');
    const secrets = [
      secretId,
      token,
      'hvs.known-secret-token',
      known,
      operator.secretAccessKey,
      vault.rootToken,
      ...proxy.seenKeys,
    ];
    for (const secret of secrets) {
      for (const form of [
        secret,
        Buffer.from(secret).toString('base64'),
        Buffer.from(secret, 'base64').toString('hex'),
      ]) {
        if (form.length >= 12) assert.ok(!everything.includes(form), `shown: ${form.slice(0, 4)}…`);
      }
    }
    assert.ok(!/hvs\.[A-Za-z0-9_-]{20,}/.test(everything), 'a token that Vault gave at login is shown');
  });
});
