/** The commands of docs/runbook.md, as they stand there, in the order of the page: with Vault, MinIO and the AWS CLI. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execPath } from 'node:process';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { startServer, type Server } from './support/backends.ts';
import { Gateway } from './support/gateway.ts';
import { runOk, type Command, type Finished } from './support/processes.ts';
import { S3Agent, S3CallError, type S3Client } from './support/s3-client.ts';
import { ownWorkspace } from './support/site.ts';
import { readStored, writeStored, type StoredObject } from './support/stored-object.ts';
import { repository, systemProgram, tools } from './support/tools.ts';
import { VaultServer } from './support/vault-server.ts';

const [bucket, key, content] = ['photos', 'cat.jpg', 'a cat, seen from behind'];
const takenUpMs = 10_000;

const s3eg = join(repository, 'bin/s3eg.mjs');

async function makeRecoveryKey(cwd: string): Promise<void> {
  const pair = ['--private-key', 'recovery.pem', '--public-key', 'recovery.pub.pem'];
  const args = [s3eg, 'keys', 'recovery-keypair', ...pair];
  await runOk({ program: execPath, args, cwd, env: { PATH: '/usr/bin:/bin', HOME: cwd } });
}

/** Commands of a page by the heading above them; those of one heading follow each other. */
function commandsOf(page: string): ReadonlyMap<string, string> {
  const sections = page.split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => {
      const blocks = Array.from(section.matchAll(/^```sh\n([\s\S]*?)^```$/gm), ([, block]) => block);
      return [section.slice(0, section.indexOf('\n')), blocks.join('')];
    }),
  );
}

describe('the runbook for keys', () => {
  const workspace = ownWorkspace();
  let vault: VaultServer;
  let backend: Server;
  let gateway: Gateway;
  let client: S3Client;
  let raw: S3Client;
  let commands: ReadonlyMap<string, string>;
  let shell: Omit<Command, 'args'>;
  let backup: StoredObject;

  before(async () => {
    let agent: S3Agent;
    [vault, backend, agent] = await Promise.all([
      VaultServer.start(workspace),
      startServer('minio', workspace),
      S3Agent.start(workspace),
    ]);
    commands = commandsOf(await readFile(join(repository, 'docs/runbook.md'), 'utf8'));
    const cwd = await workspace.folder('operator');
    await makeRecoveryKey(cwd);
    await vault.createKey('s3eg');
    await vault.usePolicy('gateway', 's3eg', 'Vault policy of the gateway');
    await vault.usePolicy('rotates', 's3eg', 'Vault policy of who rotates');
    gateway = await Gateway.start({ workspace, backend, settings: await settings(cwd, ['gateway']) });
    const { endpoint, ...credentials } = backend.access;
    const backends = { main: { type: 's3', endpoint, region: 'us-east-1', credentials } };
    const ofOperator = { backends, ...(await settings(cwd, ['gateway', 'rotates'])) };
    await writeFile(join(cwd, 'gateway.yaml'), JSON.stringify(ofOperator));
    // `npx s3eg` in a checkout is bin/s3eg.mjs.
    await writeFile(join(cwd, 'npx'), `#!/bin/sh\nshift\nexec "${execPath}" "${s3eg}" "$@"\n`, { mode: 0o755 });
    shell = { program: systemProgram('bash'), cwd, env: environment(cwd) };
    client = agent.client(gateway.access);
    raw = agent.client(backend.access);
    await client.createBucket(bucket);
    await client.put(bucket, key, Buffer.from(content));
    backup = await readStored({ raw, bucket, key, file: join(cwd, 'backup') });
  });

  /** Keys for a login with these policies. */
  async function settings(cwd: string, policies: readonly string[]): Promise<Readonly<Record<string, object>>> {
    const auth = { method: 'approle', ...(await vault.appRole(policies.join('-'), policies)) };
    return {
      keys: { vault: { type: 'vault-transit', address: vault.address, key: 's3eg', auth } },
      recovery: { publicKeyFile: join(cwd, 'recovery.pub.pem') },
      dataKeyCache: { ttl: '1s' },
    };
  }

  /** What the page sets at its beginning, and what the commands need of a machine. */
  function environment(cwd: string): Readonly<Record<string, string>> {
    const { endpoint, accessKeyId, secretAccessKey } = backend.access;
    const admin = gateway.logs.find(({ message }) => message === 'admin listener started');
    return {
      PATH: [cwd, dirname(tools.aws), dirname(systemProgram('curl')), '/usr/bin:/bin'].join(':'),
      HOME: cwd,
      S3EG_CONFIG: 'gateway.yaml',
      KEY: 'vault',
      OLD: '1',
      BUCKET: bucket,
      OBJECT: key,
      ADMIN: String(admin?.['address']),
      PROVIDER: endpoint,
      VAULT_ADDR: vault.address,
      VAULT_TOKEN: vault.rootToken,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
    };
  }

  /** Runs what stands under a heading; any command that fails ends it. */
  async function runSection(heading: string): Promise<Finished> {
    const block = commands.get(heading);
    if (block === undefined || block === '') throw new Error(`the runbook has no commands under "${heading}"`);
    return await runOk({ ...shell, args: ['-euo', 'pipefail', '-c', block] });
  }

  async function stored(): Promise<string | undefined> {
    return (await raw.head(bucket, key)).Metadata['s3eg-key'];
  }

  async function isRead(): Promise<void> {
    const file = join(shell.cwd, 'read');
    await client.get(bucket, key, {}, file);
    assert.equal(await readFile(file, 'utf8'), content);
  }

  test('has a test for each section with commands', () => {
    const headings = [...commands].flatMap(([heading, block]) => (block === '' ? [] : [heading]));
    const tested = ['Rotate', 'Rewrap', 'Retire', 'Objects under a retired version'];
    assert.deepEqual(headings, ['Settings', ...tested, 'The key service is away', 'A key is lost']);
    for (const [, name] of commands.get('Settings')?.matchAll(/([A-Z0-9_]+)=/g) ?? []) {
      assert.ok(name !== undefined && name in shell.env, `${name} is set by the test too`);
    }
  });

  test('rotate', async () => {
    const { stdout } = await runSection('Rotate');
    assert.match(stdout, /^vault +vault-transit +2 +current\nvault +vault-transit +1 +readable$/m);
    await sleep(takenUpMs);
    await client.put(bucket, 'new', Buffer.from(content));
    assert.equal((await raw.head(bucket, 'new')).Metadata['s3eg-key'], 'vault:2');
    assert.equal(await stored(), 'vault:1');
    await isRead();
  });

  test('rewrap', async () => {
    const { stdout } = await runSection('Rewrap');
    assert.match(stdout, /version 1 of key vault still protects 1 object\n[\s\S]*^Rewrapped 1 object/m);
    assert.match(stdout.slice(stdout.lastIndexOf('Would rewrap 0 objects')), /protects 0 objects: it may be retired/);
    assert.equal(await stored(), 'vault:2');
  });

  test('retire', async () => {
    const { stdout } = await runSection('Retire');
    assert.match(stdout, /^vault +vault-transit +1 +retired$/m);
    await isRead();
  });

  test('objects under a retired version', async () => {
    await writeStored({ raw, bucket, key, file: join(shell.cwd, 'backup') }, backup);
    await assert.rejects(
      client.get(bucket, key),
      (error) => error instanceof S3CallError && error.code === 'KeyVersionNotReadable',
    );
    const { stdout } = await runSection('Objects under a retired version');
    assert.match(stdout, /^Rewrapped 1 object/m);
    const { data } = await vault.ok('GET', 'transit/keys/s3eg');
    assert.equal(data?.['min_decryption_version'], 2);
    await isRead();
  });

  test('the key service is away', async () => {
    await vault.kill();
    await sleep(1500);
    await isRead();
    const { stdout } = await runSection('The key service is away');
    assert.match(stdout, /Vault at [^"]+ cannot be reached: ECONNREFUSED[^"]*; keys in memory serve on"/);
    assert.match(stdout, /^s3eg_key_cache_lookups_total\{key="vault",cache="unwrap",outcome="offline"\} [1-9]/m);
    assert.match(stdout, /^the key service is still away$/m);
  });

  test('a key is lost', async () => {
    await gateway.kill();
    const { stdout } = await runSection('A key is lost');
    assert.match(stdout, /^key +vault, version 2$/m);
    assert.equal(await readFile(join(shell.cwd, 'restored'), 'utf8'), content);
  });
});
