/** The restore drill of docs/restore.md: keyring and gateway are gone, the recovery key opens everything. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';

import { seededBytes } from './support/bytes.ts';
import { s3egHere, temporaryFolder } from './support/cli-support.ts';
import { S3Client } from './support/client.ts';
import { Gateway } from './support/gateway.ts';
import { completeUpload, createUpload, uploadPart } from './support/multipart.ts';
import { configOf, rewrap, rotate } from './support/rewrap.ts';
import { fetchStoredAt, saveWithSidecar } from './support/stored-object.ts';

const bucket = 'my-bucket';
const mebibyte = 1024 * 1024;

describe('recovery', () => {
  it('opens every object with neither keyring nor gateway, old ones after a rewrap', async (t) => {
    const folder = await temporaryFolder(t);
    const pair = ['--private-key', 'recovery.pem', '--public-key', 'recovery.pub'];
    const made = await s3egHere(['keys', 'recovery-keypair', ...pair, '--json'], { cwd: folder });
    assert.equal(made.code, 0, made.stderr);
    const { id }: { id: string } = JSON.parse(made.stdout);
    assert.equal((await stat(join(folder, 'recovery.pem'))).mode & 0o777, 0o600);
    assert.equal((await s3egHere(['keys', 'recovery-keypair', ...pair], { cwd: folder })).code, 3, 'never replaced');
    const bodies = new Map([
      ['tree/small', Buffer.from('hello')],
      ['tree/empty', Buffer.alloc(0)],
      ['tree/segments', seededBytes('segments', 200_000)],
      ['tree/parts', seededBytes('parts', 6 * mebibyte)],
      ['tree/copy', Buffer.from('hello')],
      ['tree/old', Buffer.from('written before there was a recovery key')],
    ]);
    const root = join(folder, 'gateway');
    await mkdir(root);
    await writeOld(root, bodies.get('tree/old') ?? Buffer.alloc(0));
    {
      const recovery = { publicKeyFile: join(folder, 'recovery.pub') };
      await using gateway = await Gateway.start({ directory: root, config: { recovery } });
      using s3 = new S3Client(gateway);
      for (const key of ['tree/small', 'tree/empty', 'tree/segments']) await s3.put(bucket, key, bodies.get(key) ?? '');
      const body = bodies.get('tree/parts') ?? Buffer.alloc(0);
      const upload = await createUpload(s3, bucket, 'tree/parts', { 'x-amz-meta-colour': 'blue' });
      const first = await uploadPart(s3, upload, 1, body.subarray(0, 5 * mebibyte));
      await completeUpload(s3, upload, [first, await uploadPart(s3, upload, 2, body.subarray(5 * mebibyte))]);
      await s3.put(bucket, 'tree/copy', '', { 'x-amz-copy-source': `/${bucket}/tree/small` });
      // What the provider has is fetched before the rewrap too: the old object has nothing for the recovery key.
      const before = await fetchTree(root, join(folder, 'before'), ['tree/old']);
      const refused = await decrypt(folder, before, 'refused');
      assert.equal(refused.code, 1);
      assert.match(refused.stdout + refused.stderr, /written without a recovery key/);
      await rotate(gateway);
      const report = await rewrap(gateway, '--bucket', bucket);
      assert.deepEqual([report.code, report.failures], [0, []]);
    }
    const tree = await fetchTree(root, join(folder, 'stored'), [...bodies.keys()]);
    await rm(root, { recursive: true });
    const done = await decrypt(folder, tree, 'restored');
    assert.equal(done.code, 0, done.stdout + done.stderr);
    for (const [key, body] of bodies) {
      assert.ok((await readFile(join(folder, 'restored', key.slice('tree/'.length)))).equals(body), key);
    }
    const inspected = await s3egHere(['inspect', join(tree, 'small'), '--json'], { cwd: folder });
    assert.match(inspected.stdout, new RegExp(`"recoveryKey": "${id}"`));
    const other = ['--private-key', 'other.pem', '--public-key', 'other.pub'];
    await s3egHere(['keys', 'recovery-keypair', ...other], { cwd: folder });
    const wrong = await decrypt(folder, tree, 'wrong', 'other.pem');
    assert.equal(wrong.code, 1);
    assert.match(wrong.stdout + wrong.stderr, new RegExp(`is for recovery key ${id}`));
    for (const { stdout, stderr } of [made, done, wrong, inspected]) {
      const secret = (await readFile(join(folder, 'recovery.pem'), 'utf8')).split('\n')[1] ?? '';
      assert.ok(secret.length > 40 && !`${stdout}${stderr}`.includes(secret));
    }
  });

  it('refuses a private key, or no key at all, where the public one belongs', async (t) => {
    const folder = await temporaryFolder(t);
    const pair = ['--private-key', 'recovery.pem', '--public-key', 'recovery.pub'];
    await s3egHere(['keys', 'recovery-keypair', ...pair], { cwd: folder });
    await writeFile(join(folder, 'nonsense.pem'), '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n');
    for (const [file, message] of [
      ['recovery.pem', /this is a private recovery key/],
      ['nonsense.pem', /must be an X25519 public key in PEM/],
      ['missing.pem', /cannot read the file/],
    ] as const) {
      await writeFile(join(folder, 'gateway.yaml'), `recovery: { publicKeyFile: ./${file} }\n`);
      const { code, stdout } = await s3egHere(['check', '--config', 'gateway.yaml'], { cwd: folder });
      assert.equal(code, 1, file);
      assert.match(stdout, message);
      assert.match(stdout, /recovery\.publicKeyFile/);
    }
  });
});

/** An object from the time before the recovery key was configured. */
async function writeOld(root: string, body: Buffer): Promise<void> {
  await using gateway = await Gateway.start({ directory: root });
  using s3 = new S3Client(gateway);
  await s3.createBucket(bucket);
  assert.equal((await s3.put(bucket, 'tree/old', body)).outcome, '200');
  // The configuration of the next gateway is to be the only one.
  await rm(await configOf(gateway));
}

/** Fetches objects past the gateway into a directory, each with its metadata beside it. */
async function fetchTree(root: string, directory: string, keys: readonly string[]): Promise<string> {
  for (const [key, object] of await fetchStoredAt(join(root, 'objects'), bucket, keys)) {
    const path = join(directory, key.slice('tree/'.length));
    await mkdir(dirname(path), { recursive: true });
    await saveWithSidecar(path, object);
  }
  return directory;
}

function decrypt(cwd: string, tree: string, output: string, key = 'recovery.pem') {
  const place = ['--bucket', bucket, '--prefix', 'tree/', '--output', output];
  return s3egHere(['decrypt', tree, ...place, '--recovery-key', key, '--json'], { cwd });
}
