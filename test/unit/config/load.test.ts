import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

import { makeCredentialsFile } from '../../../src/config/first-start.ts';
import { loadSettings } from '../../../src/config/load.ts';

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 's3eg-config-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function load(text: string, env: Record<string, string> = {}) {
  await writeFile(join(directory, 'c.yaml'), text);
  return loadSettings({ env: { S3EG_CONFIG: 'c.yaml', ...env }, cwd: directory });
}

const credentials = 'credentials: [{ accessKeyId: AKID, secretAccessKey: "12345678", allow: [{ actions: [read] }] }]\n';

test('everything has a default', async () => {
  const { settings, warnings, madeCredentials } = await loadSettings({ env: {}, cwd: directory, firstStart: true });
  const file = join(directory, 'data', 'credentials.json');
  assert.equal(madeCredentials?.file, file);
  assert.deepEqual(settings, {
    listen: { host: '127.0.0.1', port: 8080, publicHosts: [], trustedProxies: [], drainTimeoutMs: 30_000 },
    admin: { host: '127.0.0.1', port: 8081 },
    workers: 1,
    credentials: [
      {
        accessKeyId: madeCredentials?.accessKeyId,
        secretAccessKey: madeCredentials?.secretAccessKey,
        allow: [{ buckets: ['*'], prefixes: [''], actions: ['read', 'write', 'delete', 'list', 'admin'] }],
      },
    ],
    backends: new Map([['embedded', { type: 'filesystem', root: join(directory, 'data', 'objects') }]]),
    keys: new Map([['local', { type: 'local', file: join(directory, 'data', 'keyring.json'), readPrevious: 3 }]]),
    dataKeyCache: { ttlMs: 300_000, maxObjects: 100_000, maxBytes: 2 ** 40, offlineTtlMs: 3_600_000 },
    crypto: { suite: 'auto', hardware: 'auto', threads: 'auto' },
    rotationSchedules: new Map(),
    multipart: { ledger: 'store', prefix: '.s3eg/' },
    policies: [
      {
        name: 'default',
        match: { buckets: [], prefixes: [], accessKeys: [] },
        backend: 'embedded',
        encryption: {
          mode: 'required',
          key: 'local',
          suite: 'auto',
          segmentSizeBytes: 65_536,
          unencryptedReads: 'deny',
          etag: 'opaque',
        },
        limits: { maxObjectBytes: 5 * 2 ** 40 },
      },
    ],
    telemetry: { logLevel: 'info', metrics: { bucketLabels: [] } },
    audit: {},
  });
  assert.deepEqual(warnings, []);
});

test('credentials are made once, readable by their owner alone', async () => {
  const first = await loadSettings({ env: {}, cwd: directory, firstStart: true });
  const second = await loadSettings({ env: {}, cwd: directory, firstStart: true });
  assert.ok(first.madeCredentials !== undefined);
  assert.equal(second.madeCredentials, undefined);
  assert.deepEqual(second.settings.credentials, first.settings.credentials);
  assert.equal((await stat(first.madeCredentials.file)).mode & 0o777, 0o600);
  assert.match(first.madeCredentials.accessKeyId, /^S3EG[A-Z2-7]{16}$/);
  assert.match(first.madeCredentials.secretAccessKey, /^[\w-]{40}$/);
});

test('of several first starts at once one makes the credentials', async () => {
  const file = join(directory, 'new', 'credentials.json');
  const made = await Promise.all(Array.from({ length: 8 }, () => makeCredentialsFile(file)));
  const winners = made.filter((one) => one !== undefined);
  assert.equal(winners.length, 1);
  assert.match(await readFile(file, 'utf8'), new RegExp(winners[0]?.accessKeyId ?? 'none'));
});

test('without first start no credentials are made, which is a warning', async () => {
  const { settings, warnings } = await loadSettings({ env: {}, cwd: directory });
  assert.deepEqual(settings.credentials, []);
  assert.match(warnings.join(), /no credentials yet/);
});

test('a data directory and overrides come from the environment', async () => {
  const { settings } = await loadSettings({
    cwd: directory,
    env: {
      S3EG_DATA_DIR: 'elsewhere',
      S3EG_LISTEN_HOST: '127.0.0.2',
      S3EG_LISTEN_PORT: '0',
      S3EG_ADMIN_HOST: 'localhost',
      S3EG_ADMIN_PORT: '9999',
      S3EG_LOG_LEVEL: 'silent',
    },
  });
  assert.deepEqual([settings.listen.host, settings.listen.port], ['127.0.0.2', 0]);
  assert.deepEqual([settings.admin.host, settings.admin.port], ['localhost', 9999]);
  assert.equal(settings.telemetry.logLevel, 'silent');
  assert.deepEqual(settings.keys.get('local'), {
    type: 'local',
    file: join(directory, 'elsewhere', 'keyring.json'),
    readPrevious: 3,
  });
});

test('a full file', async () => {
  await writeFile(join(directory, 'cert.pem'), '-----BEGIN CERTIFICATE-----\nx\n');
  await mkdir(join(directory, 'policies'));
  await writeFile(
    join(directory, 'policies', 'a.yaml'),
    'name: tenant-a\nmatch: { buckets: ["tenant-a-*"] }\nbackend: dev\n',
  );
  await writeFile(
    join(directory, 'policies', 'b.yml'),
    'name: rest\nencryption: { mode: off, suite: chacha20-poly1305, segmentSize: 1MiB, unencryptedReads: allow }\nlimits: { maxObjectBytes: 50TiB }\n',
  );
  const { settings, warnings } = await load(
    `
listen:   { host: 127.0.0.1, port: \${PORT}, tls: { cert: cert.pem, key: "-----BEGIN KEY-----", clientCa: }, publicHosts: [S3.example.org], trustedProxies: [10.0.0.0/8] }
admin:    { host: 127.0.0.1, port: 8081, token: \${S3EG_ADMIN_TOKEN} }
workers: 3
credentials:
  - { accessKeyId: AKID, secretAccessKey: "\${file:secret}", allow: [{ buckets: ["logs-*"], prefixes: [""], actions: [read, write, delete, list, admin] }] }
backends:
  main: { type: s3, endpoint: http://127.0.0.1:9000, region: us-east-1, pathStyle: true, credentials: { accessKeyId: a, secretAccessKey: "x-\${S3EG_ADMIN_TOKEN}-y" } }
  dev:  { type: filesystem, root: ./data/objects }
keys:
  local: { type: local, file: ./data/keyring.json, rotation: { readPrevious: 7 } }
  other: { type: local, file: /abs/keyring.json }
dataKeyCache: { ttl: 5m, maxObjects: 100000, maxBytes: 1TiB, offlineTtl: 1h }
rotation: { readPrevious: 2 }
multipart: { ledger: store, prefix: .s3eg/, bucket: , url: }
policies: { dir: ./policies }
telemetry: { logLevel: info, otlpEndpoint: , metrics: { bucketLabels: [known] } }
audit: { sinks: [{ type: stdout }, { type: file, file: ./audit.jsonl }] } # \${NOT_SET} in a comment is no reference
`,
    { PORT: '9000', S3EG_ADMIN_TOKEN: 'token: with, {odd} "characters" #', NUL: '' },
  ).catch((error: unknown) => {
    // The secret file comes second, to see that its absence is noticed.
    assert.match(String(error), /cannot read secret: ENOENT/);
    return { settings: undefined, warnings: [] };
  });
  assert.equal(settings, undefined);
  assert.deepEqual(warnings, []);
  await writeFile(join(directory, 'secret'), 'p@ss: "word"\n');
  const loaded = await loadSettings({
    file: join(directory, 'c.yaml'),
    cwd: '/',
    env: { PORT: '9000', S3EG_ADMIN_TOKEN: 'token: with, {odd} "characters" #' },
  });
  const full = loaded.settings;
  assert.equal(full.listen.port, 9000);
  assert.equal(full.workers, 3);
  assert.deepEqual(full.listen.tls, { cert: '-----BEGIN CERTIFICATE-----\nx', key: '-----BEGIN KEY-----' });
  assert.deepEqual(full.listen.publicHosts, ['s3.example.org']);
  assert.equal(full.admin.token, 'token: with, {odd} "characters" #');
  assert.equal(full.credentials[0]?.secretAccessKey, 'p@ss: "word"');
  assert.deepEqual(full.backends.get('main'), {
    type: 's3',
    endpoint: 'http://127.0.0.1:9000',
    region: 'us-east-1',
    pathStyle: true,
    credentials: { accessKeyId: 'a', secretAccessKey: 'x-token: with, {odd} "characters" #-y' },
    maxConnections: 256,
    connectTimeoutMs: 5000,
    headersTimeoutMs: 60_000,
    bodyTimeoutMs: 120_000,
    retries: 3,
    quirks: { ignoresConditions: [], equalPartSizes: false },
  });
  assert.deepEqual(full.audit, {
    sinks: [{ type: 'stdout' }, { type: 'file', file: join(directory, 'audit.jsonl') }],
  });
  assert.deepEqual(full.backends.get('dev'), { type: 'filesystem', root: join(directory, 'data/objects') });
  assert.deepEqual(full.keys.get('local'), {
    type: 'local',
    file: join(directory, 'data/keyring.json'),
    readPrevious: 7,
  });
  assert.deepEqual(full.keys.get('other'), { type: 'local', file: '/abs/keyring.json', readPrevious: 2 });
  assert.deepEqual(
    full.policies.map(({ name, backend }) => [name, backend]),
    [
      ['tenant-a', 'dev'],
      ['rest', 'main'],
    ],
  );
  assert.deepEqual(full.policies[1]?.encryption, {
    mode: 'off',
    key: 'local',
    suite: 'chacha20-poly1305',
    segmentSizeBytes: 1_048_576,
    unencryptedReads: 'allow',
    etag: 'opaque',
  });
  assert.equal(full.policies[1]?.limits.maxObjectBytes, 50 * 2 ** 40);
});

test('keys are rotated by their own schedule, else by that of all', async () => {
  const keys =
    'keys: { a: { type: local, file: a }, b: { type: local, file: b, rotation: { schedule: "0 4 * * 1" } } }\n';
  const { settings } = await load(`${credentials}${keys}rotation: { schedule: "0 3 1 * *" }\n`);
  assert.deepEqual(
    [...settings.rotationSchedules],
    [
      ['a', '0 3 1 * *'],
      ['b', '0 4 * * 1'],
    ],
  );
  const { settings: own } = await load(`${credentials}${keys}`);
  assert.deepEqual([...own.rotationSchedules], [['b', '0 4 * * 1']]);
});

test('JSON is YAML', async () => {
  const text = JSON.stringify({
    listen: { port: 1 },
    credentials: [{ accessKeyId: 'AKID', secretAccessKey: '${S}', allow: [] }],
  });
  const { settings } = await load(text, { S: '12345678' });
  assert.equal(settings.listen.port, 1);
  assert.equal(settings.credentials[0]?.secretAccessKey, '12345678');
});

test('the settings are frozen to the ground', async () => {
  const { settings } = await load(credentials);
  const seen: unknown[] = [settings];
  for (const value of seen) {
    if (typeof value !== 'object' || value === null) continue;
    assert.ok(Object.isFrozen(value));
    seen.push(...(value instanceof Map ? value.values() : Object.values(value)));
  }
  assert.ok(seen.length > 40);
});

test('what is hardly meant is a warning', async () => {
  await writeFile(
    join(directory, 'keys.json'),
    '{ "credentials": [{ "accessKeyId": "AKID", "secretAccessKey": "12345678", "allow": [] }] }',
  );
  await chmod(join(directory, 'keys.json'), 0o644);
  const { warnings } = await load(`
listen: { host: 0.0.0.0 }
admin: { host: "::" }
credentialsFile: keys.json
backends: { main: { type: s3, endpoint: "http://store.example:9000", credentials: { accessKeyId: a, secretAccessKey: b } } }
`);
  assert.equal(warnings.length, 4);
  for (const text of ['plain HTTP on 0.0.0.0', 'plain HTTP on ::', 'keys.json can be read', 'store.example']) {
    assert.ok(
      warnings.some((warning) => warning.includes(text)),
      text,
    );
  }
});
