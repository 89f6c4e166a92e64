import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { loadSettings } from '../../../src/config/load.ts';
import { ConfigError, formatProblem } from '../../../src/config/problem.ts';

let directory = '';

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 's3eg-config-'));
});

after(async () => {
  await rm(directory, { recursive: true, force: true });
});

const env = { GOOD: 'a-good-secret', PORT: '9000', EMPTY: '' };

async function problemsOf(text: string, extraEnv: Record<string, string> = {}): Promise<string[]> {
  await writeFile(join(directory, 'c.yaml'), text);
  try {
    await loadSettings({ file: 'c.yaml', env: { ...env, ...extraEnv }, cwd: directory });
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(formatProblem);
  }
  return [];
}

const credentials = 'credentials: [{ accessKeyId: AKID, secretAccessKey: "12345678", allow: [] }]\n';
const s3 = 'type: s3, endpoint: "http://127.0.0.1:9000", credentials: { accessKeyId: a, secretAccessKey: b }';

const mistakes: readonly [name: string, text: string, problems: readonly string[]][] = [
  ['unknown section', 'listne: {}', ['c.yaml:1:1: listne: unknown key "listne"; did you mean "listen"?']],
  [
    'unknown key',
    'listen:\n  host: 127.0.0.1\n  prot: 1\n',
    ['c.yaml:3:3: listen.prot: unknown key "prot"; did you mean "port"?'],
  ],
  ['unknown key without a value', 'listen:\n  zzzzzzzz:\n', ['c.yaml:2:3: listen.zzzzzzzz: unknown key "zzzzzzzz"']],
  ['__proto__', '__proto__: { a: 1 }', ['c.yaml:1:1: __proto__: unknown key "__proto__"']],
  ['key given twice', 'admin: {}\nadmin: {}', ['c.yaml:2:1: Map keys must be unique']],
  ['broken YAML', 'listen: [1,\nadmin: }', ['c.yaml:2:1: Flow sequence in block']],
  ['wrong type', 'listen:\n  port: many', ['c.yaml:2:9: listen.port: must be a whole number from 0 to 65535']],
  ['out of range', 'listen: { port: 70000 }', ['c.yaml:1:17: listen.port: must be at most 65535']],
  ['fraction', 'listen: { port: 80.5 }', ['c.yaml:1:17: listen.port: must be a whole number from 0 to 65535']],
  ['section expected', 'listen: 8080', ['c.yaml:1:9: listen: must be a section']],
  ['list expected', 'listen: { publicHosts: a.example }', ['c.yaml:1:24: listen.publicHosts: must be a list']],
  ['no host name', 'listen: { publicHosts: ["a_b"] }', ['c.yaml:1:25: listen.publicHosts[0]: must be a host name']],
  [
    'no address block',
    'listen: { trustedProxies: [10.0.0.0/8, 10.0.0.0/33, "::1"] }',
    ['c.yaml:1:40: listen.trustedProxies[1]: must be an IP address or a block such as 10.0.0.0/8'],
  ],
  [
    'bad duration',
    'listen: { drainTimeout: 30 }',
    ['c.yaml:1:25: listen.drainTimeout: must be a duration such as "1h"'],
  ],
  [
    'unknown unit',
    'dataKeyCache: { ttl: 5 minutes }',
    ['c.yaml:1:22: dataKeyCache.ttl: must be a duration: a number with one of ms, s, m, h, d'],
  ],
  ['duration out of range', 'dataKeyCache: { ttl: 2d }', ['c.yaml:1:22: dataKeyCache.ttl: must be between 0s and 1d']],
  [
    'bad size',
    'dataKeyCache: { maxBytes: 1 TiBs }',
    ['c.yaml:1:27: dataKeyCache.maxBytes: must be a size: a whole number of bytes, or with KiB, MiB, GiB, TiB, PiB'],
  ],
  [
    'wrong word',
    'telemetry: { logLevel: inof }',
    ['c.yaml:1:24: telemetry.logLevel: must be one of trace, debug, info, warn, error, silent; did you mean "info"?'],
  ],
  [
    'unknown backend type',
    'backends:\n  main:\n    type: s4\n',
    ['c.yaml:3:11: backends.main.type: must be one of s3, filesystem; did you mean "s3"?'],
  ],
  [
    'missing type',
    'backends:\n  main:\n    root: x\n',
    ['c.yaml:2:3: backends.main.type: is missing: one of s3, filesystem'],
  ],
  ['missing value', 'backends:\n  main: { type: filesystem }\n', ['c.yaml:2:3: backends.main.root: is missing']],
  [
    'unknown key of the chosen type only',
    'backends: { main: { type: filesystem, root: x, endpoint: y } }',
    ['c.yaml:1:48: backends.main.endpoint: unknown key "endpoint"'],
  ],
  ['bad name', `backends: { "a b": { ${s3} } }`, ['c.yaml:1:13: backends.a b: must be 1 to 64 letters']],
  ['no backend', 'backends: {}', ['c.yaml:1:11: backends: must name at least one backend']],
  ['no key', 'keys: {}', ['c.yaml:1:7: keys: must name at least one key']],
  [
    'no address',
    `backends: { main: { type: s3, endpoint: 127.0.0.1, credentials: { accessKeyId: a, secretAccessKey: b } } }`,
    ['c.yaml:1:41: backends.main.endpoint: must be an address such as https://s3.example.org'],
  ],
  [
    'address with a path',
    `backends: { main: { type: s3, endpoint: "https://h/x", credentials: { accessKeyId: a, secretAccessKey: b } } }`,
    ['c.yaml:1:41: backends.main.endpoint: must end after host and port'],
  ],
  [
    'credentials of a backend half given',
    'backends: { main: { type: s3, endpoint: "https://h", credentials: { accessKeyId: a } } }',
    ['c.yaml:1:54: backends.main.credentials.secretAccessKey: is missing'],
  ],
  [
    'short secret',
    'credentials: [{ accessKeyId: AKID, secretAccessKey: short, allow: [] }]',
    ['c.yaml:1:53: credentials[0].secretAccessKey: must have at least 8 characters'],
  ],
  [
    'secret as a number',
    'credentials: [{ accessKeyId: AKID, secretAccessKey: 12345678, allow: [] }]',
    ['c.yaml:1:53: credentials[0].secretAccessKey: must be a text: put digits in quotes'],
  ],
  ['no credentials', 'credentials: []', ['c.yaml:1:14: credentials: must have at least one entry']],
  [
    'no grant',
    'credentials: [{ accessKeyId: AKID, secretAccessKey: "12345678" }]',
    ['c.yaml:1:15: credentials[0].allow: is missing'],
  ],
  [
    'unknown action',
    'credentials: [{ accessKeyId: AKID, secretAccessKey: "12345678", allow: [{ actions: [raed] }] }]',
    [
      'c.yaml:1:85: credentials[0].allow[0].actions[0]: must be one of read, write, delete, list, admin; did you mean "read"?',
    ],
  ],
  [
    'access key twice',
    'credentials:\n  - { accessKeyId: AKID, secretAccessKey: "12345678", allow: [] }\n  - { accessKeyId: AKID, secretAccessKey: "12345678", allow: [] }\n',
    ['c.yaml:3:20: credentials[1].accessKeyId: access key id "AKID" is given twice'],
  ],
  ['short token', 'admin: { token: abc }', ['c.yaml:1:17: admin.token: must have at least 16 characters']],
  ['variable not set', 'listen:\n  host: ${NOPE}\n', ['c.yaml:2:9: listen.host: environment variable NOPE is not set']],
  [
    'variable within a text',
    'listen: { host: "a${NOPE}" }',
    ['c.yaml:1:19: listen.host: environment variable NOPE is not set'],
  ],
  ['empty variable', 'listen: { host: ${EMPTY} }', ['c.yaml:1:17: listen.host: must not be empty']],
  [
    'no variable name',
    'listen: { host: ${a b} }',
    ['c.yaml:1:17: listen.host: ${a b} is neither ${VARIABLE} nor ${file:/path}'],
  ],
  [
    'file that is not there',
    'admin: { token: ${file:/nope/x} }',
    ['c.yaml:1:17: admin.token: cannot read /nope/x: ENOENT'],
  ],
  ['variable in a key', '${GOOD}: 1', ['c.yaml:1:1: ${GOOD}: unknown key "${GOOD}"']],
  ['alias', 'listen: &a { port: 1 }\nadmin: *a', ['c.yaml:2:8: admin: aliases are not supported']],
  [
    'policy with an unknown backend and key',
    `backends: { main: { ${s3} } }\npolicies:\n  - name: p\n    backend: mian\n    encryption: { key: x }\n`,
    [
      'c.yaml:4:14: policies[0].backend: there is no "mian" under "backends"; did you mean "main"?',
      'c.yaml:5:24: policies[0].encryption.key: there is no "x" under "keys"',
    ],
  ],
  [
    'policies that tie',
    'policies:\n  - { name: one, match: { buckets: [a*] } }\n  - { name: two, match: { buckets: [a*] } }\n',
    [
      'c.yaml:3:25: policies[1].match: policies "one" and "two" match the same requests equally well (bucket "a*" and "a*"): narrow the buckets, prefixes or access keys of one of them',
    ],
  ],
  [
    'policy name twice',
    'policies: [{ name: a }, { name: a, match: { buckets: [b] } }]',
    ['c.yaml:1:33: policies[1].name: two policies are called "a"'],
  ],
  ['no policies', 'policies: []', ['c.yaml:1:11: policies: must have at least one entry']],
  ['policies of a wrong kind', 'policies: none', ['c.yaml:1:11: policies: must be a list or a section']],
  [
    'unknown key in an inline policy',
    'policies: [{ name: a, encrytion: {} }]',
    ['c.yaml:1:23: policies[0].encrytion: unknown key "encrytion"; did you mean "encryption"?'],
  ],
  [
    'odd segment size',
    'policies: [{ name: a, encryption: { segmentSize: 100KiB } }]',
    ['c.yaml:1:50: policies[0].encryption.segmentSize: must be a power of two'],
  ],
  [
    'directory that is not there',
    'policies: { dir: ./nope }',
    ['c.yaml:1:18: policies.dir: cannot read the directory: ENOENT'],
  ],
  [
    'certificate that is not there',
    'listen: { tls: { cert: ./nope.pem, key: "-----BEGIN X" } }',
    ['c.yaml:1:24: listen.tls.cert: cannot read the file: ENOENT'],
  ],
  [
    'AWS KMS: names that are none',
    'keys: { aws: { type: aws-kms, keyId: "my key", previousKeyIds: [alias/x, "arn:aws:s3:::b"], region: EU } }',
    [
      'c.yaml:1:38: keys.aws.keyId: must be the id, ARN, alias (alias/…) or alias ARN of a key',
      'c.yaml:1:74: keys.aws.previousKeyIds[1]: must be the id, ARN, alias (alias/…) or alias ARN of a key',
      'c.yaml:1:101: keys.aws.region: must be a Region',
    ],
  ],
  [
    'AWS KMS: keys of two Regions',
    'keys: { aws: { type: aws-kms, keyId: "arn:aws:kms:eu-central-1:111122223333:key/1", previousKeyIds: ["arn:aws:kms:us-east-1:111122223333:key/2"] } }',
    ['c.yaml:1:102: keys.aws.previousKeyIds[0]: is of Region us-east-1, and not of eu-central-1'],
  ],
  [
    'AWS KMS: plain HTTP, credentials beside a profile',
    'keys: { aws: { type: aws-kms, keyId: alias/x, endpoint: "http://kms.example.org", profile: p, credentials: { accessKeyId: a, secretAccessKey: b } } }',
    [
      'c.yaml:1:92: keys.aws.profile: stands beside credentials, which come first',
      'c.yaml:1:57: keys.aws.endpoint: must begin with https:// (allowPlainHttp: true lets keys and tokens go over plain HTTP)',
    ],
  ],
  [
    'Vault: plain HTTP, and fields of another login',
    'keys: { v: { type: vault-transit, address: "http://vault:8200", key: k, auth: { method: token, roleId: r } } }',
    [
      'c.yaml:1:44: keys.v.address: must begin with https:// (allowPlainHttp: true lets keys and tokens go over plain HTTP)',
      'c.yaml:1:104: keys.v.auth.roleId: is not for the method token',
      'c.yaml:1:89: keys.v.auth.method: token needs token',
    ],
  ],
  [
    'Vault: login by a certificate that is not there',
    'keys: { v: { type: vault-transit, address: "https://vault:8200", key: k, auth: { method: cert } } }',
    ['c.yaml:1:90: keys.v.auth.method: cert needs tls.cert and tls.key'],
  ],
  [
    'Vault: two secrets, and no role',
    'keys: { v: { type: vault-transit, address: "https://vault:8200", key: k, auth: { method: approle, secretId: s, secretIdFile: f } } }',
    [
      'c.yaml:1:126: keys.v.auth.secretIdFile: stands beside secretId',
      'c.yaml:1:90: keys.v.auth.method: approle needs roleId',
    ],
  ],
  [
    'Vault: unknown login, a key that is a path',
    'keys: { v: { type: vault-transit, address: "https://vault:8200", key: a/b, auth: { method: ldap } } }',
    [
      'c.yaml:1:71: keys.v.key: must be the name of a Transit key',
      'c.yaml:1:92: keys.v.auth.method: must be one of token, approle, kubernetes, cert',
    ],
  ],
  ['not yet: ledger', 'multipart: { ledger: valkey }', ['c.yaml:1:22: multipart.ledger: is not supported yet']],
  [
    'not yet: compression',
    'policies: [{ name: a, compression: { algorithm: zstd } }]',
    ['c.yaml:1:49: policies[0].compression.algorithm: is not supported yet'],
  ],
  [
    'a schedule that is none',
    'rotation: { schedule: "0 3 1 *" }',
    ['c.yaml:1:23: rotation.schedule: must be five fields of cron that come at some time, such as "0 3 1 * *"'],
  ],
  [
    'an audit file without a name',
    'audit: { sinks: [{ type: file }] }',
    ['c.yaml:1:18: audit.sinks[0].file: is missing'],
  ],
  [
    'an audit sink that there is not',
    'audit: { sinks: [{ type: syslog, file: a }] }',
    ['c.yaml:1:26: audit.sinks[0].type: must be one of stdout, file'],
  ],
  [
    'audit sinks that are named twice',
    'audit: { sinks: [{ type: stdout }, { type: file, file: a }, { type: file, file: ./a }, { type: stdout }] }',
    ['c.yaml:1:61: audit.sinks[2]: is there already', 'c.yaml:1:88: audit.sinks[3]: is there already'],
  ],
  [
    'not yet: tracing',
    'telemetry: { otlpEndpoint: "http://127.0.0.1:4318" }',
    ['c.yaml:1:28: telemetry.otlpEndpoint: is not supported yet'],
  ],
  ['workers', 'workers: 0', ['c.yaml:1:10: workers: must be at least 1']],
  [
    'not yet: rate',
    'policies: [{ name: a, limits: { requestsPerSecond: 5 } }]',
    ['c.yaml:1:52: policies[0].limits.requestsPerSecond: is not supported yet'],
  ],
  [
    'not yet: AWS default credentials',
    'backends: { main: { type: s3, endpoint: "https://h", credentials: aws-default } }',
    ['c.yaml:1:67: backends.main.credentials: is not supported yet'],
  ],
  [
    'listeners on one port',
    'listen: { port: 5 }\nadmin: { port: 5 }',
    ['configuration: admin.port: is the port of the S3 listener'],
  ],
  [
    'several at once, in the order of the file',
    'listen: { prot: 1 }\nadmin: { port: x }\ntelemetry: { logLevel: loud }\n',
    [
      'c.yaml:1:11: listen.prot: unknown key "prot"; did you mean "port"?',
      'c.yaml:2:16: admin.port: must be a whole number from 0 to 65535',
      'c.yaml:3:24: telemetry.logLevel: must be one of trace, debug, info, warn, error, silent',
    ],
  ],
];

for (const [name, text, expected] of mistakes) {
  test(`mistake: ${name}`, async () => {
    const problems = await problemsOf(
      text.includes('credentials: [') || text.startsWith('credentials:') ? text : `${text}\n${credentials}`,
    );
    // A message that is the library's own is not repeated here: its place is what counts.
    assert.equal(problems.length, expected.length, problems.join('\n'));
    for (const [index, problem] of problems.entries()) {
      const wanted = expected[index] ?? '';
      const exact = wanted.length > 40 && !wanted.endsWith('letters');
      if (exact) assert.equal(problem, wanted);
      else assert.ok(problem.startsWith(wanted), `${problem}\n  does not begin with\n${wanted}`);
    }
  });
}

test('mistake in the environment', async () => {
  assert.deepEqual(await problemsOf(credentials, { S3EG_LISTEN_PORT: 'x', S3EG_LOG_LEVEL: 'inf' }), [
    'S3EG_LISTEN_PORT: listen.port: must be a whole number from 0 to 65535',
    'S3EG_LOG_LEVEL: telemetry.logLevel: must be one of trace, debug, info, warn, error, silent; did you mean "info"?',
  ]);
});

test('no file', async () => {
  await assert.rejects(loadSettings({ file: 'nope.yaml', env: {}, cwd: directory }), {
    name: 'ConfigError',
    message: 'nope.yaml: cannot read the file: ENOENT',
  });
});

test('mistakes in policy files name their file', async () => {
  const dir = join(directory, 'policies');
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'a.yaml'), 'name: a\nmatch:\n  bucktes: [x]\n');
  await writeFile(join(dir, 'b.yaml'), 'name: b\nbackend: nope\n');
  await writeFile(join(dir, 'c.yml'), 'name: "b"\nmatch: { buckets: [c] }\n');
  await writeFile(join(dir, 'ignored.txt'), '::');
  assert.deepEqual(await problemsOf(`policies: { dir: ./policies }\n${credentials}`), [
    'policies/a.yaml:3:3: match.bucktes: unknown key "bucktes"; did you mean "buckets"?',
    'policies/b.yaml:2:10: backend: there is no "nope" under "backends"',
    'policies/c.yml:1:7: name: two policies are called "b"',
  ]);
});

test('mistakes in policies are named beside those of the file itself', async () => {
  const dir = join(directory, 'more-policies');
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'a.yaml'), 'name: a\nmatch:\n  bucktes: [x]\n');
  await writeFile(join(dir, 'b.yaml'), 'name: b\nencryption: { key: locla }\n');
  assert.deepEqual(await problemsOf('listne: {}\npolicies: { dir: ./more-policies }\n'), [
    'c.yaml:1:1: listne: unknown key "listne"; did you mean "listen"?',
    'more-policies/a.yaml:3:3: match.bucktes: unknown key "bucktes"; did you mean "buckets"?',
    'more-policies/b.yaml:2:20: encryption.key: there is no "locla" under "keys"; did you mean "local"?',
  ]);
  const inline =
    'keys: { k: { type: local, file: k } }\n' +
    'policies:\n- { name: a, backend: embeded, encryption: { mode: of, key: k } }\n- 5\n';
  assert.deepEqual(await problemsOf(inline), [
    'c.yaml:3:52: policies[0].encryption.mode: must be one of required, off; did you mean "off"?',
    'c.yaml:4:3: policies[1]: must be a section',
    'c.yaml:3:23: policies[0].backend: there is no "embeded" under "backends"; did you mean "embedded"?',
  ]);
});

test('mistakes in a credentials file name that file', async () => {
  await writeFile(join(directory, 'keys.json'), '{ "credentials": [ { "accessKeyId": "AKID", "secret": "x" } ] }');
  assert.deepEqual(await problemsOf('credentialsFile: keys.json'), [
    'keys.json:1:20: credentials[0].secretAccessKey: is missing',
    'keys.json:1:20: credentials[0].allow: is missing',
    'keys.json:1:45: credentials[0].secret: unknown key "secret"',
  ]);
});

test('problems never quote a secret value', async () => {
  const text = 'credentials: [{ accessKeyId: AKID, secretAccessKey: hunter2, allow: x }]\nadmin: { token: hunter2 }';
  assert.doesNotMatch((await problemsOf(text)).join('\n'), /hunter2/);
  for (const broken of [
    'admin: }\ntoken: "hunter2"',
    'a: "hunter2" "hunter2"',
    "a: [\n'hunter2'",
    '!hunter2 a',
    '"hunter2\\q"',
  ]) {
    const problems = await problemsOf(broken);
    assert.ok(problems.length > 0);
    assert.doesNotMatch(problems.join('\n'), /"hunter2|'hunter2/, broken);
  }
});
