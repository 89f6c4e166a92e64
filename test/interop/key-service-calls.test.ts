/** How often a key service is asked. `S3EG_PUTS` sets the number of objects: CI writes the 10 000 of the promise. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { startBackend } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { KeyServiceProxy } from './support/key-service-proxy.ts';
import { kmsCredentials, KmsServer } from './support/kms-servers.ts';
import { inParallel, loadClient } from './support/s3-load.ts';
import { ownWorkspace } from './support/site.ts';
import { VaultServer } from './support/vault-server.ts';

const objects = Number(process.env['S3EG_PUTS'] ?? 200);
/** To Vault: its calls are counted by the same code, and cost no money. */
const objectsForVault = Math.min(objects, 500);
const width = 16;

async function readSome(gateway: Gateway, count = objects): Promise<void> {
  using client = loadClient(gateway);
  await inParallel(20, width, async (index) => {
    const number = Math.floor((index * count) / 20);
    const { text } = await client.get('bucket', `object-${number}`);
    assert.equal(text, `content of ${number}`);
  });
}

describe(`calls to a key service for ${objects} small PUTs in one bucket`, () => {
  const workspace = ownWorkspace();
  let aws: KeyServiceProxy;
  let awsKey: object;
  let vault: KeyServiceProxy;
  let vaultKey: object;

  before(async () => {
    const server = await KmsServer.start('local-kms', workspace);
    await server.createAlias('alias/calls', await server.createKey());
    aws = await KeyServiceProxy.start(server.endpoint, workspace);
    const { region } = server;
    awsKey = { type: 'aws-kms', keyId: 'alias/calls', region, endpoint: aws.endpoint, credentials: kmsCredentials };
    const vaultServer = await VaultServer.start(workspace);
    await vaultServer.createKey('calls');
    await vaultServer.usePolicy('calls', 'calls', 'Vault policy of the gateway');
    vault = await KeyServiceProxy.start(vaultServer.address, workspace);
    const auth = { method: 'token', token: await vaultServer.token(['calls']) };
    vaultKey = { type: 'vault-transit', address: vault.endpoint, key: 'calls', auth };
  });

  async function write(key: object, dataKeyCache: object, count = objects): Promise<Gateway> {
    const backend = await startBackend('embedded', workspace);
    const gateway = await Gateway.start({ workspace, backend, settings: { keys: { kek: key }, dataKeyCache } });
    using client = loadClient(gateway);
    assert.equal((await client.createBucket('bucket')).status, 200);
    await inParallel(count, width, async (number) => {
      const { status } = await client.put('bucket', `object-${number}`, `content of ${number}`);
      assert.equal(status, 200);
    });
    return gateway;
  }

  test('are five at most to AWS KMS by default, canary and description included', async (context) => {
    aws.calls.length = 0;
    await readSome(await write(awsKey, {}));
    context.diagnostic(`calls: ${aws.calls.join(' ')}`);
    assert.ok(aws.calls.length <= 5, aws.calls.join(' '));
  });

  test('are one each to AWS KMS with maxObjects: 1', async (context) => {
    aws.calls.length = 0;
    await write(awsKey, { maxObjects: 1 });
    const made = aws.count(/\.GenerateDataKey$/);
    context.diagnostic(`calls: ${made} GenerateDataKey, ${aws.calls.length - made} others`);
    // One more for the canary.
    assert.equal(made, objects + 1);
    assert.ok(aws.calls.length - made <= 4, `${aws.calls.length - made} others`);
  });

  test('are five at most to Vault for keys by default, beside those for versions and the token', async (context) => {
    vault.calls.length = 0;
    await readSome(await write(vaultKey, {}, objectsForVault), objectsForVault);
    const forKeys = vault.count(/\/(en|de)crypt\//);
    context.diagnostic(`calls: ${forKeys} for keys, ${vault.calls.length - forKeys} others`);
    assert.ok(forKeys <= 5, vault.calls.join(' '));
  });

  test('show the bucket keys to the key service only', async () => {
    assert.ok(aws.seenKeys.size >= objects, 'each object had a bucket key of its own');
    assert.ok(vault.seenKeys.size >= 2);
  });
});
