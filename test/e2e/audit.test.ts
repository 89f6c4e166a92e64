/** Audit events of docs/audit.md: of every step that commands and gateways take with keys, and what happens without a place for them. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { readAudit, type AuditLine } from './support/audit.ts';
import { s3egHere, temporaryFolder } from './support/cli-support.ts';
import { S3Client } from './support/client.ts';
import { Gateway, temporaryDirectory } from './support/gateway.ts';
import { admin, scrape, valueOf } from './support/metrics.ts';
import { commandAt, configOf } from './support/rewrap.ts';
import { knownSecrets } from './support/secrets.ts';
import { fetchStoredAt, saveWithSidecar } from './support/stored-object.ts';

const bucket = 'my-bucket';
const token = 'token-of-the-admin-listener';
const toFile = { audit: { sinks: [{ type: 'file', file: './audit.jsonl' }] } };

/** An event without what differs from run to run. */
function plain({ time, audit, event_id: id, host, process_id: pid, actor_name: name, ...event }: AuditLine): AuditLine {
  assert.ok([time, audit, id, host, pid].every((value) => value !== undefined));
  assert.equal(event['actor'] === 'cli', name !== undefined);
  return event;
}

async function eventsOf({ directory }: { readonly directory: string }): Promise<readonly AuditLine[]> {
  return (await readAudit(join(directory, 'audit.jsonl'))).map(plain);
}

async function rotateByApi(gateway: Gateway): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, 'content-length': '0' };
  return (await admin(gateway, '/api/v1/keys/local/rotate', { method: 'POST', headers })).status;
}

/** Asks `/ready` until it says this; an answer stands for a moment. */
async function untilReady(gateway: Gateway, status: number): Promise<void> {
  for (let round = 0; (await admin(gateway, '/ready')).status !== status; round++) {
    assert.ok(round < 100, `/ready is never ${status}`);
    await delay(100);
  }
}

describe('audit events', () => {
  it('tell what commands do to keys and objects, with counts, and nothing secret', async (t) => {
    const folder = await temporaryFolder(t);
    const pair = ['--private-key', 'recovery.pem', '--public-key', 'recovery.pub'];
    assert.equal((await s3egHere(['keys', 'recovery-keypair', ...pair], { cwd: folder })).code, 0);
    const recovery = { publicKeyFile: join(folder, 'recovery.pub') };
    await using gateway = await Gateway.start({ config: { ...toFile, recovery } });
    const { directory } = gateway;
    const keyring = join(directory, 'keyring.json');
    using s3 = new S3Client(gateway);
    await s3.createBucket(bucket);
    for (const key of ['one', 'two', 'three']) await s3.put(bucket, key, key);
    const run = async (code: number, ...args: readonly string[]): Promise<void> => {
      const done = await commandAt(gateway, ...args);
      assert.equal(done.code, code, `${args.join(' ')}: ${done.stderr}`);
      assert.doesNotMatch(done.stdout + done.stderr, /"audit"/);
    };
    await run(0, 'keys', 'rotate', '--key', 'local');
    const firstKeys: { readonly keys: readonly { readonly key: string }[] } = JSON.parse(
      await readFile(keyring, 'utf8'),
    );
    const old = ['--key', 'local', '--key-version', '1'];
    await run(0, 'keys', 'destroy', ...old);
    await run(0, 'rewrap', '--bucket', bucket, '--prefix', 't', '--shard', '0/1', '--dry-run');
    await run(0, 'rewrap', '--bucket', bucket);
    await run(3, 'keys', 'retire', '--key', 'local', '--key-version', '2');
    await run(0, 'keys', 'retire', ...old, '--now');
    await run(0, 'keys', 'destroy', ...old, '--confirm', 'local:1');
    const [stored] = (await fetchStoredAt(join(directory, 'objects'), bucket, ['one'])).values();
    assert.ok(stored !== undefined);
    await saveWithSidecar(join(folder, 'stored'), stored);
    const place = ['stored', '--bucket', bucket, '--key', 'one', '--recovery-key', 'recovery.pem'];
    const restored = await s3egHere(
      ['decrypt', ...place, '--output', 'restored', '--config', await configOf(gateway), '--json'],
      { cwd: folder },
    );
    assert.equal(restored.code, 0, restored.stderr);
    assert.equal(await readFile(join(folder, 'restored'), 'utf8'), 'one');
    // Without a configuration there is no sink, and a recovery works all the same.
    assert.equal((await s3egHere(['decrypt', ...place, '--output', 'again'], { cwd: folder })).code, 0);
    const key = { actor: 'cli', key_name: 'local' };
    const version = { ...key, key_version: '1' };
    const job = { actor: 'cli', backend: 'main', bucket };
    const some = { ...job, prefix: 't', shard: '0/1', dry_run: true };
    const lost = { objects: 3, old_versions: 0, uploads: 0, failed: 0 };
    const nothing = { ...lost, objects: 0 };
    const ofCommands = (await eventsOf(gateway)).filter(({ actor }) => actor === 'cli');
    assert.deepEqual(ofCommands, [
      { event: 'key_rotation_started', outcome: 'begun', ...key },
      { event: 'key_rotation_finished', outcome: 'ok', ...key, key_version: '2', previous_version: '1' },
      { event: 'key_destruction_counted', outcome: 'ok', ...version, ...lost },
      { event: 'rewrap_started', outcome: 'begun', ...some },
      {
        event: 'rewrap_finished',
        outcome: 'ok',
        ...some,
        rewrapped: 2,
        current: 0,
        old_versions: 0,
        locked: 0,
        failed: 0,
      },
      { event: 'rewrap_started', outcome: 'begun', ...job, dry_run: false },
      {
        event: 'rewrap_finished',
        outcome: 'ok',
        ...job,
        dry_run: false,
        rewrapped: 3,
        current: 0,
        old_versions: 0,
        locked: 0,
        failed: 0,
      },
      { event: 'key_retirement_started', outcome: 'begun', ...key, key_version: '2' },
      { event: 'key_retirement_failed', outcome: 'failed', ...key, key_version: '2', error_code: 'misconfigured' },
      { event: 'key_retirement_started', outcome: 'begun', ...version },
      { event: 'key_retirement_finished', outcome: 'ok', ...version },
      { event: 'key_destruction_started', outcome: 'begun', ...version, ...nothing },
      { event: 'key_destruction_finished', outcome: 'ok', ...version, ...nothing },
      { event: 'recovery_started', outcome: 'begun', actor: 'cli', bucket },
      { event: 'recovery_finished', outcome: 'ok', actor: 'cli', bucket, objects: 1, bytes: 3, failed: 0 },
    ]);
    const file = join(directory, 'audit.jsonl');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const text = await readFile(file, 'utf8');
    const keys = firstKeys.keys.flatMap((each) => [each.key, Buffer.from(each.key, 'base64').toString('hex')]);
    const privateKey = (await readFile(join(folder, 'recovery.pem'), 'utf8')).split('\n')[1] ?? '';
    assert.ok(keys.length === 4 && privateKey.length > 40);
    for (const secret of [...knownSecrets(), ...keys, privateKey]) assert.ok(!text.includes(secret));
  });

  it('tell of a key that is not the data’s, before the start is refused', async (t) => {
    const directory = await temporaryDirectory();
    t.after(() => rm(directory, { recursive: true, force: true }));
    {
      await using gateway = await Gateway.start({ directory, config: toFile });
      using s3 = new S3Client(gateway);
      await s3.createBucket(bucket);
      await s3.put(bucket, 'key', 'content');
    }
    await rm(join(directory, 'keyring.json'));
    await assert.rejects(Gateway.start({ directory, config: toFile }), /is not the key/);
    const events = await eventsOf({ directory });
    const [{ detail, ...mismatch } = {}] = events;
    assert.deepEqual(
      [events.length, mismatch],
      [
        1,
        {
          event: 'canary_mismatch',
          outcome: 'failed',
          actor: 'gateway',
          backend: 'main',
          bucket,
          key_name: 'local',
          error_code: 'misconfigured',
        },
      ],
    );
    assert.match(String(detail), /^key "local" is not the key that the stored objects are encrypted with/);
  });

  it('tell when a key becomes unusable and usable again; the file may be moved away meanwhile', async () => {
    await using gateway = await Gateway.start({ config: { ...toFile, admin: { host: '127.0.0.1', port: 0, token } } });
    const { directory } = gateway;
    const file = join(directory, 'audit.jsonl');
    const keyring = join(directory, 'keyring.json');
    const whole = await readFile(keyring);
    await writeFile(keyring, 'damaged', { mode: 0o600 });
    await untilReady(gateway, 503);
    await writeFile(keyring, whole, { mode: 0o600 });
    await untilReady(gateway, 200);
    // They are written while the answer is already on its way.
    while ((await eventsOf(gateway)).length < 2) await delay(50);
    const [{ detail, ...unusable } = {}, usable] = await eventsOf(gateway);
    const by = { actor: 'gateway', key_name: 'local' };
    assert.deepEqual(unusable, { event: 'key_unusable', outcome: 'failed', ...by, reason: 'refused' });
    assert.match(String(detail), /keyring\.json/);
    assert.deepEqual(usable, { event: 'key_usable', outcome: 'ok', ...by });
    await rename(file, `${file}.1`);
    gateway.process.child.kill('SIGHUP');
    assert.equal(await rotateByApi(gateway), 200);
    const names = (await eventsOf(gateway)).map(({ event }) => event);
    assert.deepEqual(names, ['key_rotation_started', 'key_rotation_finished']);
    assert.equal((await readAudit(`${file}.1`)).length, 2);
  });
});

describe('audit events that cannot be written', () => {
  it('keep commands and gateways from beginning', async (t) => {
    const directory = await temporaryDirectory();
    t.after(() => rm(directory, { recursive: true, force: true }));
    await using gateway = await Gateway.start({ directory, config: toFile });
    const file = join(directory, 'audit.jsonl');
    await rm(file);
    await mkdir(file);
    const before = await readFile(join(directory, 'keyring.json'), 'utf8');
    const rotated = await commandAt(gateway, 'keys', 'rotate', '--key', 'local', '--json');
    assert.deepEqual([rotated.code, rotated.stdout], [3, '']);
    assert.match(rotated.stderr, /^s3eg: audit events cannot be written to .*audit\.jsonl: EISDIR/);
    assert.equal(await readFile(join(directory, 'keyring.json'), 'utf8'), before);
    await assert.rejects(Gateway.start({ directory, config: toFile }), /audit events cannot be written to .*EISDIR/);
  });

  it('are an error in the log of a running gateway and a metric, and it goes on', async () => {
    await using gateway = await Gateway.start({ config: { ...toFile, admin: { host: '127.0.0.1', port: 0, token } } });
    const file = join(gateway.directory, 'audit.jsonl');
    await rm(file);
    await mkdir(file);
    assert.equal(await rotateByApi(gateway), 200);
    const lines = await gateway.process.until((process) => {
      const found = process.logLines().filter(({ message }) => message === 'an audit event was not written');
      return found.length >= 2 ? found : undefined;
    });
    assert.deepEqual(
      lines.map(({ level, event, sink, error_code: code }) => [level, event, sink, code]),
      [
        ['error', 'key_rotation_started', 'file', 'EISDIR'],
        ['error', 'key_rotation_finished', 'file', 'EISDIR'],
      ],
    );
    const failed = { event: 'key_rotation_finished', sink: 'file', outcome: 'failed' };
    assert.equal(valueOf(await scrape(gateway), 's3eg_audit_events_total', failed), 1);
    await rm(file, { recursive: true });
    assert.equal(await rotateByApi(gateway), 200);
    assert.equal((await eventsOf(gateway)).length, 2);
  });

  it('go to standard error from a command, whose report is on standard output', async () => {
    await using gateway = await Gateway.start({ config: { audit: { sinks: [{ type: 'stdout' }] } } });
    const { code, stdout, stderr } = await commandAt(gateway, 'keys', 'rotate', '--key', 'local', '--json');
    assert.deepEqual([code, JSON.parse(stdout)], [0, { key: 'local', previous: '1', current: '2' }]);
    const events = stderr
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line).event);
    assert.deepEqual(events, ['key_rotation_started', 'key_rotation_finished']);
  });
});
