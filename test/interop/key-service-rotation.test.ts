/** A rotation from its beginning to the end, in Vault and by the alias of an AWS KMS key: rotate, rewrap, retire. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { before, describe, test } from 'node:test';

import { startServer, type Server } from './support/backends.ts';
import { seenEnvelope } from './support/envelope.ts';
import { Gateway } from './support/gateway.ts';
import { kmsCredentials, KmsServer } from './support/kms-servers.ts';
import { plaintext } from './support/plaintext.ts';
import { run, type Finished } from './support/processes.ts';
import { S3Agent, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import { repository } from './support/tools.ts';
import { VaultServer } from './support/vault-server.ts';
import { digest, until } from './support/workspace.ts';

const content = plaintext('rotated', 100_003);
const keys = ['a', 'b', 'c'];

function settings(bucket: string, kek: object): Readonly<Record<string, object>> {
  const policies = [{ name: bucket, match: { buckets: [bucket] } }];
  return { keys: { kek }, policies, dataKeyCache: { ttl: '1s' } };
}

async function readsAll(client: S3Client, bucket: string, names: readonly string[]): Promise<void> {
  for (const key of names) assert.equal((await client.get(bucket, key)).Body.sha256, digest(content), key);
}

describe('a rotation to its end', () => {
  const workspace = ownWorkspace();
  let backend: Server;
  let agent: S3Agent;

  before(async () => {
    [backend, agent] = await Promise.all([startServer('minio', workspace), S3Agent.start(workspace)]);
  });

  /** Starts a gateway whose bucket keys last a second, so that it takes up what happens at once. */
  async function start(bucket: string, kek: object): Promise<{ readonly gateway: Gateway; readonly client: S3Client }> {
    const gateway = await Gateway.start({ workspace, backend, settings: settings(bucket, kek) });
    const client = agent.client(gateway.access);
    await client.createBucket(bucket);
    for (const key of keys) await client.put(bucket, key, content);
    return { gateway, client };
  }

  /** A command of an operator with this key. */
  async function s3eg(bucket: string, kek: object, ...args: readonly string[]): Promise<Finished> {
    const cwd = await workspace.folder('operator');
    const { endpoint, ...credentials } = backend.access;
    const backends = { main: { type: 's3', endpoint, region: 'us-east-1', credentials } };
    const config = { ...settings(bucket, kek), backends };
    await writeFile(join(cwd, 'gateway.yaml'), JSON.stringify(config));
    const env = { PATH: '/usr/bin:/bin', HOME: cwd };
    const program = [join(repository, 'bin/s3eg.mjs'), ...args, '--config', 'gateway.yaml', '--json'];
    return await run({ program: execPath, args: program, cwd, env });
  }

  async function rewrapAll(bucket: string, kek: object): Promise<void> {
    const { code, stdout, stderr } = await s3eg(bucket, kek, 'rewrap', '--bucket', bucket);
    assert.equal(code, 0, `${stdout}${stderr}`);
  }

  async function versionOf(bucket: string, key: string): Promise<string> {
    const { Metadata } = await agent.client(backend.access).head(bucket, key);
    return seenEnvelope(Metadata['s3eg'] ?? '').keyVersion;
  }

  /** Waits until new objects come under a version, without a restart. */
  async function takesUp(client: S3Client, bucket: string, version: string): Promise<void> {
    await until(`objects under ${version}`, async () => {
      await client.put(bucket, 'new', content);
      return (await versionOf(bucket, 'new')) === version;
    });
  }

  test('in Vault: the gateway may not rotate, an operator may, and the old version opens nothing at the end', async () => {
    const vault = await VaultServer.start(workspace);
    await vault.createKey('s3eg');
    await vault.usePolicy('gateway', 's3eg', 'Vault policy of the gateway');
    await vault.usePolicy('rotator', 's3eg', 'Vault policy of who rotates');
    const keyFor = async (name: string, policies: readonly string[]): Promise<object> => {
      const auth = { method: 'approle', ...(await vault.appRole(name, policies)) };
      return { type: 'vault-transit', address: vault.address, key: 's3eg', auth };
    };
    const own = await keyFor('gateway', ['gateway']);
    const operator = await keyFor('operator', ['gateway', 'rotator']);
    const { gateway, client } = await start('in-vault', own);

    const refused = await s3eg('in-vault', own, 'keys', 'rotate', '--key', 'kek');
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /Vault does not let the gateway rotate/);
    const rotated = await s3eg('in-vault', operator, 'keys', 'rotate', '--key', 'kek');
    assert.equal(rotated.code, 0, rotated.stderr);
    assert.deepEqual(JSON.parse(rotated.stdout), { key: 'kek', previous: '1', current: '2' });
    await takesUp(client, 'in-vault', '2');
    await readsAll(client, 'in-vault', [...keys, 'new']);
    assert.ok((await gateway.metric('s3eg_key_reads_total', { key: 'kek', age: 'previous' })) >= keys.length);

    await rewrapAll('in-vault', own);
    for (const key of keys) assert.equal(await versionOf('in-vault', key), '2');
    const retired = await s3eg('in-vault', operator, 'keys', 'retire', '--key', 'kek', '--key-version', '1', '--now');
    assert.equal(retired.code, 0, retired.stderr);
    const { data } = await vault.ok('GET', 'transit/keys/s3eg');
    assert.equal(data?.['min_decryption_version'], 2);
    await gateway.stop();
    await gateway.restart();
    await readsAll(agent.client(gateway.access), 'in-vault', [...keys, 'new']);
  });

  test('by an alias of AWS KMS: old objects are read and rewrapped, and the old key may be disabled at the end', async () => {
    const kms = await KmsServer.start('local-kms', workspace);
    const [old, next] = [await kms.createKey(), await kms.createKey()];
    await kms.createAlias('alias/s3eg', old);
    const kek = {
      type: 'aws-kms',
      keyId: 'alias/s3eg',
      previousKeyIds: [next, old],
      region: kms.region,
      endpoint: kms.endpoint,
      credentials: { ...kmsCredentials },
    };
    const { gateway, client } = await start('in-kms', kek);
    assert.equal(await versionOf('in-kms', 'a'), old);
    await kms.switchAlias('alias/s3eg', next);
    await takesUp(client, 'in-kms', next);
    await readsAll(client, 'in-kms', [...keys, 'new']);
    await rewrapAll('in-kms', kek);
    for (const key of keys) assert.equal(await versionOf('in-kms', key), next);
    await kms.disable(old);
    await gateway.stop();
    await gateway.restart();
    await readsAll(agent.client(gateway.access), 'in-kms', [...keys, 'new']);
  });
});
