/** The gateway with its keys in a local keyring, in Vault, in a namespace of OpenBao, and in two stand-ins for AWS KMS. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { before, describe, test } from 'node:test';

import { startServer, type Server } from './support/backends.ts';
import { seenEnvelope, type SeenEnvelope } from './support/envelope.ts';
import { Gateway } from './support/gateway.ts';
import { kmsCredentials, KmsServer } from './support/kms-servers.ts';
import { plaintext } from './support/plaintext.ts';
import { runOk } from './support/processes.ts';
import { S3Agent, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import { repository } from './support/tools.ts';
import { VaultServer } from './support/vault-server.ts';
import { digest, fileDigest } from './support/workspace.ts';

const mebibyte = 1024 * 1024;
const names = ['local', 'vault', 'openbao', 'moto', 'local-kms'] as const;

type Name = (typeof names)[number];

/** Contents by key; the last one is stored in parts, the copies are made by the gateway. */
const single = plaintext('single', 200_017);
const parts = [plaintext('part 1', 5 * mebibyte), plaintext('part 2', 5 * mebibyte + 7), plaintext('part 3', 70_001)];
const contents: ReadonlyMap<string, Buffer> = new Map([
  ['empty', Buffer.alloc(0)],
  ['single', single],
  ['multipart', Buffer.concat(parts)],
  ['copy of single', single],
  ['copy of multipart', Buffer.concat(parts)],
]);
const metadata = { colour: 'blue' };

async function store(client: S3Client, bucket: string): Promise<void> {
  await client.createBucket(bucket);
  await client.put(bucket, 'empty', Buffer.alloc(0), { Metadata: metadata });
  await client.put(bucket, 'single', single, { Metadata: metadata });
  const upload = await client.createUpload(bucket, 'multipart', { Metadata: metadata });
  const done = [];
  for (const [index, part] of parts.entries()) done.push(await client.uploadPart(upload, index + 1, part));
  await client.complete(upload, done);
  for (const key of ['single', 'multipart']) {
    await client.call('copy_object', {
      Bucket: bucket,
      Key: `copy of ${key}`,
      CopySource: { Bucket: bucket, Key: key },
    });
  }
}

async function readsAll(client: S3Client, bucket: string): Promise<void> {
  for (const [key, bytes] of contents) {
    const { Body, Metadata } = await client.get(bucket, key);
    assert.deepEqual([Body.sha256, Body.broken, Metadata], [digest(bytes), null, metadata], key);
    if (bytes.length === 0) continue;
    const [first, last] = [bytes.length >> 1, bytes.length - 2];
    const range = await client.get(bucket, key, { Range: `bytes=${first}-${last}` });
    assert.equal(range.Body.sha256, digest(bytes.subarray(first, last + 1)), `half of ${key}`);
  }
}

/** Where the AWS SDK looks for credentials first. */
const kmsEnvironment = {
  AWS_ACCESS_KEY_ID: kmsCredentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: kmsCredentials.secretAccessKey,
};

/** What a wrapped bucket key looks like under each: bytes, and the version that names it. */
const forms: Readonly<Record<Name, { readonly version: RegExp; readonly bytes: number | undefined }>> = {
  local: { version: /^1$/, bytes: 72 },
  vault: { version: /^1$/, bytes: 60 },
  openbao: { version: /^1$/, bytes: 60 },
  // The forms of KMS ciphertexts are not documented, and each implementation has its own.
  moto: { version: /^arn:aws:kms:eu-central-1:\d{12}:key\/[0-9a-f-]{36}$/, bytes: undefined },
  'local-kms': { version: /^arn:aws:kms:eu-central-1:\d{12}:key\/[0-9a-f-]{36}$/, bytes: undefined },
};

/** As docs/KMS_COMPATIBILITY.md says it: an AppRole with the policy of that page and no more. */
async function vaultSection(server: VaultServer): Promise<object> {
  await server.createKey('s3eg');
  await server.usePolicy('gateway', 's3eg', 'Vault policy of the gateway');
  const { roleId, secretId } = await server.appRole('gateway', ['gateway']);
  return {
    type: 'vault-transit',
    address: server.address,
    key: 's3eg',
    ...(server.namespace === undefined ? {} : { namespace: server.namespace }),
    auth: { method: 'approle', roleId, secretId },
  };
}

describe('the gateway with each kind of key', () => {
  const workspace = ownWorkspace();
  let backend: Server;
  let agent: S3Agent;
  let vault: VaultServer;
  let openBao: VaultServer;
  const gateways = new Map<Name, Gateway>();
  const sections = new Map<Name, object>([['local', { type: 'local', file: 'keyring.json' }]]);
  const kms = new Map<Name, KmsServer>();

  before(async () => {
    [backend, agent, vault, openBao] = await Promise.all([
      startServer('minio', workspace),
      S3Agent.start(workspace),
      VaultServer.start(workspace),
      VaultServer.start(workspace, { product: 'openbao', namespace: 'team/storage' }),
    ]);
    sections.set('vault', await vaultSection(vault));
    sections.set('openbao', await vaultSection(openBao));
    for (const name of ['moto', 'local-kms'] as const) sections.set(name, await kmsSection(name));
    for (const [name, key] of sections) {
      const env = kmsEnvironment;
      // Each has the buckets of its own key: the canaries of the others would keep it from starting again.
      const policies = [{ name: 'tenant', match: { buckets: [`bucket-${name}`] } }];
      const settings = { keys: { kek: key }, policies };
      gateways.set(name, await Gateway.start({ workspace, backend, env, settings }));
    }
  });

  async function kmsSection(name: 'moto' | 'local-kms'): Promise<object> {
    const server = await KmsServer.start(name, workspace);
    await server.createAlias('alias/s3eg', await server.createKey());
    kms.set(name, server);
    return { type: 'aws-kms', keyId: 'alias/s3eg', region: server.region, endpoint: server.endpoint };
  }

  function gateway(name: Name): Gateway {
    const found = gateways.get(name);
    if (found === undefined) throw new Error(`no gateway with ${name}`);
    return found;
  }

  for (const name of names) {
    test(`stores, reads, reads in part and copies: ${name}`, async () => {
      const client = agent.client(gateway(name).access);
      await store(client, `bucket-${name}`);
      await readsAll(client, `bucket-${name}`);
      // Another process unwraps what this one wrapped.
      await gateway(name).stop();
      await gateway(name).restart();
      await readsAll(agent.client(gateway(name).access), `bucket-${name}`);
      assert.ok((await gateway(name).metric('s3eg_key_reads_total', { key: 'kek', age: 'current' })) >= contents.size);
      const unwraps = { key: 'kek', operation: 'unwrap', outcome: 'ok' };
      assert.ok((await gateway(name).metric('s3eg_key_operations_total', unwraps)) >= 1);
    });
  }

  for (const name of ['vault', 'openbao', 'moto', 'local-kms'] as const) {
    test(`opens without the gateway, with s3eg decrypt and by hand: ${name}`, async () => {
      const cwd = await workspace.folder('offline');
      const [stored, config, output] = ['stored.bin', 'keys.json', 'output'].map((file) => join(cwd, file));
      const raw = agent.client(backend.access);
      const { ContentType, Metadata } = await raw.get(`bucket-${name}`, 'single', {}, stored);
      await writeFile(`${stored}.metadata.json`, JSON.stringify({ ContentType, Metadata }));
      await writeFile(config ?? '', JSON.stringify({ keys: { kek: sections.get(name) } }));
      const place = ['--bucket', `bucket-${name}`, '--key', 'single'];
      const args = ['decrypt', stored ?? '', ...place, '--config', config ?? '', '--output', output ?? ''];
      const env = { PATH: '/usr/bin:/bin', HOME: cwd, ...kmsEnvironment };
      await runOk({ program: execPath, args: [join(repository, 'bin/s3eg.mjs'), ...args], cwd, env });
      assert.equal(await fileDigest(output ?? ''), digest(single));

      const { keyVersion, wrappedBucketKey } = seenEnvelope(Metadata['s3eg'] ?? '');
      const bucketKey = await unwrapByHand(name, { keyVersion, wrappedBucketKey, bucket: `bucket-${name}` });
      assert.equal(bucketKey.length, 32);
      await assert.rejects(unwrapByHand(name, { keyVersion, wrappedBucketKey, bucket: 'another-bucket' }));
    });
  }

  /** As docs/format/key-services.md says it. */
  async function unwrapByHand(
    name: Name,
    wrapped: { readonly keyVersion: string; readonly wrappedBucketKey: Buffer; readonly bucket: string },
  ): Promise<Uint8Array> {
    const { keyVersion, wrappedBucketKey, bucket } = wrapped;
    const server = kms.get(name);
    if (server !== undefined) return await server.decrypt(keyVersion, wrappedBucketKey, { policy: 'tenant', bucket });
    const context = Buffer.from(`\0\u0006tenant\0${String.fromCharCode(bucket.length)}${bucket}`).toString('base64');
    const ciphertext = `vault:v${keyVersion}:${wrappedBucketKey.toString('base64')}`;
    const { data } = await (name === 'openbao' ? openBao : vault).ok('POST', 'transit/decrypt/s3eg', {
      ciphertext,
      associated_data: context,
    });
    return Buffer.from(String(data?.['plaintext']), 'base64');
  }

  test('the wrapped bucket key and the name of its version differ in form, and nothing else of what is stored', async () => {
    const raw = agent.client(backend.access);
    for (const key of contents.keys()) {
      const others = new Map<Name, string>();
      for (const name of names) {
        const { Metadata, ContentLength } = await raw.head(`bucket-${name}`, key);
        const envelope = seenEnvelope(Metadata['s3eg'] ?? '');
        assert.match(envelope.keyVersion, forms[name].version);
        assert.equal(Metadata['s3eg-key'], `kek:${envelope.keyVersion}`);
        const { bytes } = forms[name];
        if (bytes !== undefined) assert.equal(envelope.wrappedBucketKey.length, bytes, name);
        others.set(name, JSON.stringify([Object.keys(Metadata).toSorted(), ContentLength, formOf(envelope)]));
      }
      assert.equal(new Set(others.values()).size, 1, `${key}: ${[...others.values()].join('\n')}`);
    }
  });

  // Last: after these nothing opens any more.
  test('does not start with another key in the place of the right one: Vault', async () => {
    await gateway('vault').stop();
    await vault.ok('POST', 'transit/keys/s3eg/config', { deletion_allowed: true });
    await vault.ok('DELETE', 'transit/keys/s3eg');
    await assert.rejects(gateway('vault').restart(), /there is no Transit key at/);
    await vault.createKey('s3eg');
    await assert.rejects(gateway('vault').restart(), /is not the key that the stored objects are encrypted with/);
  });

  test('does not start after an alias was switched without a word of the old key, and says where to put it: AWS KMS', async () => {
    const server = kms.get('local-kms');
    if (server === undefined) throw new Error('no local-kms');
    await gateway('local-kms').stop();
    await server.switchAlias('alias/s3eg', await server.createKey());
    await assert.rejects(gateway('local-kms').restart(), /has no version .*arn:aws:kms:.*previousKeyIds/);
  });
});

/** All that an envelope shows but the wrapped bucket key and its version: values that are the same, lengths of the others. */
function formOf(envelope: SeenEnvelope): object {
  const { suite, segmentSizeBytes, isMultipart, policy, keyName } = envelope;
  const { salt, commitment, wrappedDek, sealedMetadata } = envelope;
  return {
    same: { suite, segmentSizeBytes, isMultipart, policy, keyName },
    lengths: [salt.length, commitment.length, wrappedDek.length, sealedMetadata.length],
  };
}
