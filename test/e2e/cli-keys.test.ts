import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { s3egHere, temporaryFolder } from './support/cli-support.ts';
import { S3Client } from './support/client.ts';
import { readAudit } from './support/audit.ts';
import { Gateway, rootCredentials } from './support/gateway.ts';
import { scrape, valueOf } from './support/metrics.ts';
import { keyLabels } from './support/key-labels.ts';
import { createUpload } from './support/multipart.ts';
import { commandAt } from './support/rewrap.ts';

const configuration = `
credentials: [{ accessKeyId: tester, secretAccessKey: "hunter2-hunter2", allow: [{ actions: [read] }] }]
keys:
  main: { type: local, file: ./main.json, rotation: { readPrevious: 1 } }
  spare: { type: local, file: ./spare.json }
policies:
  - { name: all }
`;

interface Report {
  readonly ok: boolean;
  readonly keys: readonly {
    readonly name: string;
    readonly ok: boolean;
    readonly reason?: string;
    readonly current?: string;
    readonly versions: readonly { readonly version: string; readonly state: string }[];
    readonly policies: readonly string[];
  }[];
}

/** A folder with a configuration, whose keyrings are there, and the command run in it. */
async function setUp(context: TestContext) {
  const cwd = await temporaryFolder(context);
  await writeFile(join(cwd, 'gateway.yaml'), configuration);
  for (const name of ['main', 'spare']) await writeFile(join(cwd, `${name}.json`), keyring(name), { mode: 0o600 });
  const keys = (...args: readonly string[]) => s3egHere(['keys', ...args, '--config', 'gateway.yaml'], { cwd });
  const list = async (): Promise<Report> => JSON.parse((await keys('list', '--json')).stdout);
  return { cwd, keys, list };
}

function keyring(name: string): string {
  const key = Buffer.alloc(32, name).toString('base64');
  return JSON.stringify({ version: 1, keys: [{ version: '1', key, created: '2026-01-01T00:00:00Z' }] });
}

/** Every key in keyrings of a gateway, in base64 and hex. */
async function keysOf({ directory }: Gateway, ...names: readonly string[]): Promise<readonly string[]> {
  const texts = await Promise.all(names.map((name) => readFile(join(directory, `${name}.json`), 'utf8')));
  const documents: readonly { readonly keys: readonly { readonly key: string }[] }[] = texts.map((text) =>
    JSON.parse(text),
  );
  return documents.flatMap(({ keys }) => keys.flatMap(({ key }) => [key, Buffer.from(key, 'base64').toString('hex')]));
}

describe('s3eg keys', () => {
  it('rotates, lists what is read and what is not, and retires', async (t) => {
    const { cwd, keys, list } = await setUp(t);
    const rotated = await keys('rotate', '--key', 'main', '--json');
    assert.deepEqual([rotated.code, rotated.stderr], [0, '']);
    assert.deepEqual(JSON.parse(rotated.stdout), { key: 'main', previous: '1', current: '2' });
    const again = await keys('rotate', '--key', 'main');
    assert.equal(again.stdout, 'Rotated key main: version 3 is current, 2 was.\n');
    const { ok, keys: reports } = await list();
    assert.ok(ok);
    const states = (name: string) =>
      reports.find((report) => report.name === name)?.versions.map(({ version, state }) => `${version} ${state}`);
    assert.deepEqual(states('main'), ['3 current', '2 readable', '1 outside_window']);
    assert.deepEqual(states('spare'), ['1 current']);
    assert.deepEqual(
      reports.map(({ policies }) => policies),
      [['all'], []],
    );
    const early = await keys('retire', '--key', 'main', '--key-version', '1');
    assert.equal(early.code, 3);
    assert.match(early.stderr, /gateways may still write under version 1/);
    assert.equal((await keys('retire', '--key', 'main', '--key-version', '1', '--now')).code, 0);
    const table = (await keys('list', '--key', 'main')).stdout;
    assert.equal(
      table,
      'KEY   TYPE   VERSION  STATE\nmain  local  3        current\nmain  local  2        readable\nmain  local  1        retired\n',
    );
    const file = await readFile(join(cwd, 'main.json'), 'utf8');
    assert.match(file, /"retired": "\d{4}-/);
    for (const { key } of JSON.parse(file).keys) assert.ok(!table.includes(String(key)));
  });

  it('refuses to retire the current version, and versions and keys that are not there', async (t) => {
    const { cwd, keys } = await setUp(t);
    const before = await readFile(join(cwd, 'main.json'), 'utf8');
    const current = await keys('retire', '--key', 'main', '--key-version', '1');
    assert.deepEqual(
      [current.code, current.stderr],
      [3, 's3eg: version 1 of key "main" is the current one: rotate the key first\n'],
    );
    const missing = await keys('retire', '--key', 'main', '--key-version', '7');
    assert.deepEqual([missing.code, missing.stderr], [3, 's3eg: key "main" has no version "7"\n']);
    const unknown = await keys('rotate', '--key', 'other');
    assert.deepEqual(
      [unknown.code, unknown.stderr],
      [2, 's3eg: there is no key "other"; the configuration has main, spare\n'],
    );
    assert.equal((await keys('rotate')).code, 2);
    assert.equal(await readFile(join(cwd, 'main.json'), 'utf8'), before);
  });

  it('tells of a key that cannot be opened, and makes no keyring', async (t) => {
    const { cwd, keys } = await setUp(t);
    await rm(join(cwd, 'spare.json'));
    const status = await keys('status', '--json');
    assert.equal(status.code, 1);
    const { ok, keys: reports }: Report = JSON.parse(status.stdout);
    assert.equal(ok, false);
    assert.deepEqual(
      reports.map(({ name, ok }) => [name, ok]),
      [
        ['main', true],
        ['spare', false],
      ],
    );
    assert.match(reports[1]?.reason ?? '', /spare\.json does not exist/);
    const text = await keys('status');
    assert.match(text.stdout, /^main {3}local {2}1 +1 +1 +all +ok$/m);
    assert.equal((await keys('rotate', '--key', 'spare')).code, 3);
    assert.deepEqual(
      (await readdir(cwd)).filter((name) => name.endsWith('.json')),
      ['main.json'],
    );
  });

  it('is followed by a running gateway within seconds, though its data keys would serve for minutes', async () => {
    await using gateway = await Gateway.start({ config: { dataKeyCache: { ttl: '10m' } } });
    using s3 = new S3Client(gateway);
    await s3.createBucket('my-bucket');
    const put = (key: string) => s3.send({ method: 'PUT', bucket: 'my-bucket', key, body: key });
    assert.equal((await put('before')).outcome, '200');
    const config = (await readdir(gateway.directory)).find((name) => name.endsWith('.yaml')) ?? '';
    const rotated = await s3egHere(['keys', 'rotate', '--key', 'local', '--config', config], {
      cwd: gateway.directory,
    });
    assert.equal(rotated.code, 0, rotated.stderr);
    // The keyring looks for changes once a second, and the cache asks it as often.
    await delay(2500);
    assert.equal((await put('after')).outcome, '200');
    assert.deepEqual(keyLabels(gateway.directory, 'my-bucket'), { before: 'local:1', after: 'local:2' });
    for (const key of ['before', 'after']) {
      const { outcome, body } = await s3.send({ method: 'GET', bucket: 'my-bucket', key });
      assert.deepEqual([outcome, body.toString()], ['200', key]);
    }
    const seen = await gateway.process.until((process) =>
      process.logLines().find(({ message }) => message === 'key rotation taken up'),
    );
    assert.deepEqual([seen['key_name'], seen['key_version'], seen['previous_version']], ['local', '2', '1']);
  });

  it('is not needed where the admin API rotates, or a schedule does', async () => {
    const token = 'token-of-the-admin-listener';
    const config = {
      admin: { host: '127.0.0.1', port: 0, token },
      keys: {
        minutely: { type: 'local', file: './minutely.json', rotation: { schedule: '* * * * *' } },
        monthly: { type: 'local', file: './monthly.json', rotation: { schedule: '0 3 1 * *' } },
      },
      audit: { sinks: [{ type: 'stdout' }, { type: 'file', file: './audit.jsonl' }] },
    };
    await using gateway = await Gateway.start({ config });
    await using replica = await Gateway.start({ config, directory: gateway.directory });
    using s3 = new S3Client(gateway);
    using atReplica = new S3Client(replica);
    await s3.createBucket('my-bucket');
    const rotate = (key: string, authorization: string): Promise<Response> =>
      fetch(`http://${gateway.admin.host}:${gateway.admin.port}/api/v1/keys/${key}/rotate`, {
        method: 'POST',
        headers: { authorization },
      });
    assert.equal((await rotate('monthly', 'Bearer another-token-of-sixteen')).status, 401);
    const answer = await rotate('monthly', `Bearer ${token}`);
    assert.deepEqual([answer.status, await answer.json()], [200, { key: 'monthly', previous: '1', current: '2' }]);
    const byHand = await commandAt(gateway, 'keys', 'rotate', '--key', 'monthly');
    assert.deepEqual([byHand.code, byHand.stdout], [0, 'Rotated key monthly: version 3 is current, 2 was.\n']);
    // A replica takes a version up when it uses the key.
    const takenUp = new Map<Gateway, unknown>();
    while (takenUp.size < 2) {
      for (const [process, client] of [
        [gateway, s3],
        [replica, atReplica],
      ] as const) {
        assert.equal((await client.put('my-bucket', 'object', 'content')).outcome, '200');
        const line = process.process.logLines().find(({ event }) => event === 'key_version_taken_up');
        if (line !== undefined) takenUp.set(process, [line['key_name'], line['key_version'], line['previous_version']]);
      }
      await delay(500);
    }
    assert.deepEqual(
      [...takenUp.values()],
      Array.from(takenUp, () => ['minutely', '2', '1']),
    );
    const rotations = [gateway, replica].flatMap(({ process }) =>
      process.logLines().filter(({ message }) => message === 'key rotated'),
    );
    assert.deepEqual(
      rotations.map(({ key_name, key_version, previous_version, reason }) => [
        key_name,
        key_version,
        previous_version,
        reason,
      ]),
      [
        ['monthly', '2', '1', 'api'],
        ['minutely', '2', '1', 'schedule'],
      ],
    );
    const lease = gateway.storedKeys('my-bucket').find((key) => key.startsWith('.s3eg/rotation/'));
    assert.match(lease ?? '', /^\.s3eg\/rotation\/minutely\/\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000Z$/);
    const events = await readAudit(join(gateway.directory, 'audit.jsonl'));
    const told = (process: unknown, ...keys: readonly string[]): readonly (readonly unknown[])[] =>
      events
        .filter((event) => event['process_id'] === process && keys.includes(String(event['key_name'])))
        .map(({ event, actor, outcome, reason }) => [event, actor, outcome, ...(reason === undefined ? [] : [reason])]);
    assert.deepEqual(told(gateway.pid, 'monthly'), [
      ['key_rotation_started', 'admin_api', 'begun'],
      ['key_rotation_finished', 'admin_api', 'ok'],
    ]);
    assert.deepEqual(told(process.pid, 'monthly'), [
      ['key_rotation_started', 'cli', 'begun'],
      ['key_rotation_finished', 'cli', 'ok'],
    ]);
    // One of the replicas rotated by the schedule, and told so once; the other one left it to that one. Both took it up.
    const [rotated, left] = [gateway.pid, replica.pid]
      .map((pid) => told(pid, 'minutely'))
      .toSorted((one, other) => other.length - one.length);
    assert.deepEqual(rotated, [
      ['key_rotation_started', 'schedule', 'begun'],
      ['key_rotation_finished', 'schedule', 'ok'],
      ['key_version_taken_up', 'gateway', 'ok'],
    ]);
    const reason = left?.[0]?.[3];
    assert.ok(reason === 'taken' || reason === 'done', String(reason));
    assert.deepEqual(left, [
      ['key_rotation_skipped', 'schedule', 'skipped', reason],
      ['key_version_taken_up', 'gateway', 'ok'],
    ]);
    const byApi = events.find(({ actor }) => actor === 'admin_api');
    assert.deepEqual(
      [byApi?.['remote_address'], byApi?.['request_id']],
      ['127.0.0.1', answer.headers.get('x-amz-request-id')],
    );
    const byCommand = events.find(({ actor }) => actor === 'cli');
    assert.equal(byCommand?.['actor_name'], userInfo().username);
    // The same lines go to standard output.
    const own = events.filter((event) => event['process_id'] === gateway.pid);
    assert.deepEqual(
      gateway.process.logLines().filter(({ audit }) => audit === true),
      own,
    );
    const written = 's3eg_audit_events_total';
    const metrics = await scrape(gateway);
    for (const sink of ['stdout', 'file']) {
      assert.equal(
        valueOf(metrics, written, { event: 'key_rotation_finished', sink, outcome: 'written' }) >= 1,
        true,
        sink,
      );
      assert.equal(valueOf(metrics, written, { sink }), own.length, sink);
    }
    assert.equal(valueOf(metrics, written, { outcome: 'failed' }), 0);
    const text = await readFile(join(gateway.directory, 'audit.jsonl'), 'utf8');
    const secrets = [token, rootCredentials.secretAccessKey, ...(await keysOf(gateway, 'minutely', 'monthly'))];
    assert.ok(secrets.length >= 2 + 2 * 5, 'two and three versions, in two forms');
    for (const secret of secrets) assert.ok(!text.includes(secret), secret.slice(0, 4));
  });

  it('destroys an old version once that is confirmed, and says before what is lost', async () => {
    await using gateway = await Gateway.start({ config: { dataKeyCache: { ttl: '0s', offlineTtl: '0s' } } });
    using s3 = new S3Client(gateway);
    for (const bucket of ['first', 'second']) {
      await s3.createBucket(bucket);
      await s3.put(bucket, 'old', 'old');
    }
    await createUpload(s3, 'second', 'open');
    assert.equal((await commandAt(gateway, 'keys', 'rotate', '--key', 'local')).code, 0);
    await delay(1100);
    await s3.put('first', 'new', 'new');
    const destroy = (...args: readonly string[]) =>
      commandAt(gateway, 'keys', 'destroy', '--key', 'local', '--json', ...args);
    const dry = await destroy('--key-version', '1');
    assert.equal(dry.code, 0, dry.stderr);
    const { destroyed, total, buckets, canaries } = JSON.parse(dry.stdout);
    assert.deepEqual(
      canaries,
      ['first', 'second'].map((bucket) => ({ backend: 'main', bucket })),
    );
    assert.deepEqual([destroyed, total], [false, { objects: 2, oldVersions: 0, uploads: 1, failed: 0 }]);
    assert.equal(buckets.length, 2);
    assert.equal((await s3.send({ method: 'GET', bucket: 'first', key: 'old' })).outcome, '200');
    for (const [args, code] of [
      [['--key-version', '1', '--confirm', 'local:2'], 2],
      [['--key-version', '1', '--confirm', 'yes'], 2],
      [['--key-version', '2', '--confirm', 'local:2'], 2],
      [['--key-version', '9', '--confirm', 'local:9'], 2],
      [['--key-version', '1', '--bucket', 'nowhere'], 2],
    ] as const) {
      assert.equal((await destroy(...args)).code, code, args.join(' '));
    }
    const keyring = join(gateway.directory, 'keyring.json');
    const { keys } = JSON.parse(await readFile(keyring, 'utf8'));
    assert.equal(keys.length, 2);
    const early = await destroy('--key-version', '1', '--confirm', 'local:1');
    assert.equal(early.code, 3);
    assert.match(early.stderr, /gateways may still write under version 1/);
    const done = await destroy('--key-version', '1', '--confirm', 'local:1', '--bucket', 'first', '--now');
    assert.deepEqual([done.code, JSON.parse(done.stdout).total.objects], [0, 1]);
    assert.ok(!(await readFile(keyring, 'utf8')).includes(String(keys[0].key)));
    await delay(1100);
    assert.match((await s3.send({ method: 'GET', bucket: 'first', key: 'old' })).outcome, /^4\d\d |^5\d\d /);
    assert.equal((await s3.send({ method: 'GET', bucket: 'first', key: 'new' })).body.toString(), 'new');
    // The canaries have moved along: else no command that writes would get past them.
    const rewrap = await commandAt(gateway, 'rewrap', '--bucket', 'second', '--json');
    const [{ failures }] = JSON.parse(rewrap.stdout);
    assert.deepEqual([rewrap.code, failures[0].code], [1, 'not_found']);
  });

  it('destroys nothing while objects cannot be looked at, unless it is told to', async () => {
    await using gateway = await Gateway.start({});
    using s3 = new S3Client(gateway);
    await s3.createBucket('first');
    await s3.put('first', 'whole', 'whole');
    await s3.put('first', 'broken', 'broken');
    const database = new DatabaseSync(join(gateway.directory, 'objects', 'index.sqlite'));
    database
      .prepare(
        `UPDATE object SET headers = replace(headers, '"x-amz-meta-s3eg":"', '"x-amz-meta-s3eg":"!') WHERE key = ?`,
      )
      .run(Buffer.from('broken'));
    database.close();
    assert.equal((await commandAt(gateway, 'keys', 'rotate', '--key', 'local')).code, 0);
    const keyring = join(gateway.directory, 'keyring.json');
    const before = await readFile(keyring, 'utf8');
    const destroy = ['keys', 'destroy', '--key', 'local', '--key-version', '1', '--now'];
    const dry = await commandAt(gateway, ...destroy);
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /1 objects could not be looked at/);
    assert.match(dry.stdout, /canaries of these buckets are under it .*: first \(backend main\)/);
    const refused = await commandAt(gateway, ...destroy, '--confirm', 'local:1');
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /nothing was destroyed.*--ignore-failures/s);
    assert.equal(await readFile(keyring, 'utf8'), before);
    const done = await commandAt(gateway, ...destroy, '--confirm', 'local:1', '--ignore-failures');
    assert.equal(done.code, 0, done.stderr);
    assert.notEqual(await readFile(keyring, 'utf8'), before);
  });
});
