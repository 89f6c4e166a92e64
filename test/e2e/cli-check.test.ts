import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';

import { generate } from 'selfsigned';

import { s3eg, s3egHere, temporaryFolder } from './support/cli-support.ts';
import { filesBelow } from './support/decrypt-fixture.ts';

const credentials =
  'credentials: [{ accessKeyId: tester, secretAccessKey: "hunter2-hunter2", allow: [{ actions: [read] }] }]\n';
const dayMs = 86_400_000;

interface Report {
  readonly ok: boolean;
  readonly problems: readonly { readonly path: string; readonly message: string; readonly line?: number }[];
  readonly warnings: readonly string[];
  readonly served?: {
    readonly s3: string;
    readonly keys: readonly { readonly versions?: number }[];
    readonly policies: readonly { readonly name: string; readonly encryption: { readonly segmentSizeBytes: number } }[];
    readonly everythingMatches: boolean;
  };
}

/** Checks a configuration and gives the report; whatever it says, it must make no file. */
async function check(context: TestContext, text: string, prepare?: (folder: string) => Promise<void>) {
  const cwd = await temporaryFolder(context);
  await writeFile(join(cwd, 'gateway.yaml'), text);
  await prepare?.(cwd);
  const before = await filesBelow(cwd);
  const { code, stdout, stderr } = await s3egHere(['check', '--config', 'gateway.yaml', '--json'], { cwd });
  assert.deepEqual(await filesBelow(cwd), before);
  assert.equal(stderr, '');
  assert.doesNotMatch(stdout, /hunter2/);
  const report: Report = JSON.parse(stdout);
  assert.equal(code, report.ok ? 0 : 1);
  return report;
}

async function certificate(notAfterMs: number): Promise<{ readonly cert: string; readonly key: string }> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    notBeforeDate: new Date(Date.now() - 400 * dayMs),
    notAfterDate: new Date(notAfterMs),
  });
  return { cert, key };
}

/** An entry of a keyring. */
const entry = (version: string) => ({
  version,
  key: Buffer.alloc(32, version).toString('base64'),
  created: '2026-01-01T00:00:00.000Z',
});

/** Writes both as files. */
const writePair = (pair: { cert: string; key: string }) => async (cwd: string) => {
  await writeFile(join(cwd, 'cert.pem'), pair.cert);
  await writeFile(join(cwd, 'key.pem'), pair.key);
};

describe('s3eg check', () => {
  it('names every mistake with its place and what was meant', async (context) => {
    const cwd = await temporaryFolder(context);
    await mkdir(join(cwd, 'policies'));
    await writeFile(join(cwd, 'policies', 'a.yaml'), 'name: a\nencryption:\n  key: locla\n  mode: of\n');
    await writeFile(join(cwd, 'gateway.yaml'), `listen:\n  prot: 1\npolicies: { dir: policies }\n${credentials}`);
    const result = await s3eg(['check', '--config', 'gateway.yaml'], { cwd });
    assert.deepEqual([result.code, result.stderr], [1, '']);
    assert.equal(
      result.stdout,
      'mistake  gateway.yaml:2:3: listen.prot: unknown key "prot"; did you mean "port"?\n' +
        'mistake  policies/a.yaml:4:9: encryption.mode: must be one of required, off; did you mean "off"?\n\n2 mistakes.\n',
    );
    await writeFile(join(cwd, 'policies', 'a.yaml'), 'name: a\nencryption:\n  key: locla\n');
    const json = await s3egHere(['check', '--config', 'gateway.yaml', '--json'], { cwd });
    assert.equal(json.code, 1);
    assert.deepEqual(JSON.parse(json.stdout), {
      ok: false,
      problems: [
        {
          source: 'gateway.yaml',
          line: 2,
          column: 3,
          path: 'listen.prot',
          message: 'unknown key "prot"',
          suggestion: 'port',
        },
        {
          source: 'policies/a.yaml',
          line: 3,
          column: 8,
          path: 'encryption.key',
          message: 'there is no "locla" under "keys"',
          suggestion: 'local',
        },
      ],
      warnings: [],
    });
    assert.deepEqual(await filesBelow(cwd), ['gateway.yaml', 'policies/a.yaml']);
  });

  it('says what would be served, and makes none of it', async (context) => {
    const cwd = await temporaryFolder(context);
    const result = await s3eg(['check'], { cwd });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /^warning {2}no credentials yet: .*credentials\.json is made at the first start$/m);
    assert.match(
      result.stdout,
      /^warning {2}keys\.local\.file: no keyring yet: .*keyring\.json is made at the first start$/m,
    );
    assert.match(result.stdout, /^S3 listener {5}http:\/\/127\.0\.0\.1:8080$/m);
    assert.match(
      result.stdout,
      /^ {2}default: every bucket → embedded, encrypted under local \(aes-256-gcm, segments of 64 KiB\)/m,
    );
    assert.match(result.stdout, /\n\nNo mistakes, 2 warnings\.\n$/);
    assert.deepEqual(await filesBelow(cwd), []);
  });

  it('says what encrypts, in a process that crypto.hardware holds for', async (context) => {
    const cwd = await temporaryFolder(context);
    await writeFile(join(cwd, 'off.yaml'), `${credentials}crypto: { hardware: off, suite: aes-256-gcm }\n`);
    const text = await s3eg(['check', '--config', 'off.yaml'], { cwd });
    assert.equal(text.code, 0, text.stderr);
    assert.match(
      text.stdout,
      /^Ciphers\n {2}aes-256-gcm where a policy names none; a core of this machine: aes-256-gcm \d+ MB\/s, chacha20-poly1305 \d+ MB\/s$/m,
    );
    assert.match(text.stdout, /^ {2}instructions of the CPU in use: none$/m);
  });

  it('gives the policies with everything that they leave to the defaults', async (context) => {
    const policies = 'policies: [{ name: a, match: { buckets: ["a-*"] }, encryption: { segmentSize: 256KiB } }]\n';
    const { served, warnings } = await check(context, `${credentials}${policies}`);
    assert.equal(served?.everythingMatches, false);
    assert.deepEqual(served.policies[0]?.encryption, {
      mode: 'required',
      key: 'local',
      suite: 'aes-256-gcm',
      segmentSizeBytes: 262_144,
      unencryptedReads: 'deny',
      etag: 'opaque',
    });
    assert.equal(warnings.length, 1);
  });

  it('warns of what is risky', async (context) => {
    const { ok, warnings } = await check(
      context,
      'listen: { host: 0.0.0.0, trustedProxies: ["0.0.0.0/0", 10.0.0.0/8] }\nadmin: { host: 0.0.0.0 }\n' +
        'credentials: [{ accessKeyId: nobody, secretAccessKey: "hunter2-hunter2", allow: [] }]\n' +
        'backends:\n  main: { type: filesystem, root: ./data }\n  spare: { type: filesystem, root: ./spare }\n' +
        'keys: { k: { type: local, file: ./data/keyring.json, rotation: { readPrevious: 0 } } }\n' +
        'policies:\n- { name: a, match: { buckets: [a] }, encryption: { mode: off } }\n' +
        '- { name: b, match: { buckets: [b] }, encryption: { unencryptedReads: allow } }\n- { name: c }\n',
    );
    assert.equal(ok, true);
    const expected = [
      /^listen: plain HTTP/,
      /^admin: plain HTTP/,
      /^policy "a": encryption\.mode off/,
      /^policy "b": encryption\.unencryptedReads allow/,
      /^keys\.k\.file: the keyring lies among the objects of backend "main"/,
      /^keys\.k: with rotation\.readPrevious 0/,
      /^backends\.spare: no policy uses it/,
      /^credentials: access key "nobody" may do nothing/,
      /^listen\.trustedProxies: 0\.0\.0\.0\/0 believes/,
      /^keys\.k\.file: no keyring yet/,
    ];
    assert.equal(warnings.length, expected.length, warnings.join('\n'));
    for (const [index, pattern] of expected.entries()) assert.match(warnings[index] ?? '', pattern);
  });

  it('says where keys of key services are, asks none of them, and shows no secret', async (context) => {
    const secrets = { token: 'hvs.hunter2', secretAccessKey: 'hunter2-hunter2' };
    const { ok, warnings, served } = await check(
      context,
      `${credentials}backends: { main: { type: filesystem, root: ./objects } }
keys:
  v: { type: vault-transit, address: "http://127.0.0.1:1", mount: team/transit, key: k, auth: { method: token, token: ${secrets.token} } }
  a:
    type: aws-kms
    keyId: alias/x
    previousKeyIds: [alias/old, alias/older]
    credentials: { accessKeyId: A, secretAccessKey: ${secrets.secretAccessKey} }
    rotation: { readPrevious: 1 }
`,
    );
    assert.equal(ok, true);
    assert.deepEqual(warnings, ['keys.a: previousKeyIds has 2 keys, of which rotation.readPrevious lets 1 be read']);
    assert.deepEqual(served?.keys, [
      { name: 'v', type: 'vault-transit', at: 'http://127.0.0.1:1/v1/team/transit/keys/k', readPrevious: 3 },
      { name: 'a', type: 'aws-kms', at: 'alias/x', readPrevious: 1 },
    ]);
  });

  it('warns of a schedule that uses up what AWS allows', async (context) => {
    const { warnings } = await check(
      context,
      `${credentials}rotation: { schedule: "0 3 1 * *" }\nkeys: { a: { type: aws-kms, keyId: alias/x }, k: { type: local, file: ./k } }\npolicies: [{ name: p, encryption: { key: k } }]\n`,
    );
    assert.deepEqual(
      warnings?.filter((warning) => warning.includes('rotation')),
      [
        'keys.a: rotation.schedule uses up the 25 rotations on demand that AWS allows for a key: let AWS rotate it ' +
          'automatically, which the gateway follows',
      ],
    );
  });

  it('does not warn of a keyring in a directory that only begins like that of the objects', async (context) => {
    const { warnings } = await check(
      context,
      `${credentials}backends: { main: { type: filesystem, root: ./data } }\nkeys: { k: { type: local, file: ./data-keys/k } }\n`,
    );
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /no keyring yet/);
  });

  it('looks into keyrings', async (context) => {
    const keys = `${credentials}keys: { k: { type: local, file: keyring.json } }\n`;
    const keyring = JSON.stringify({ version: 1, keys: [entry('1'), entry('2')] });
    const good = await check(context, keys, (cwd) => writeFile(join(cwd, 'keyring.json'), keyring, { mode: 0o600 }));
    assert.deepEqual([good.ok, good.served?.keys[0]?.versions, good.warnings], [true, 2, []]);
    const open = await check(context, keys, async (cwd) => {
      await writeFile(join(cwd, 'keyring.json'), keyring);
      await chmod(join(cwd, 'keyring.json'), 0o640);
    });
    assert.deepEqual([open.ok, open.problems.map(({ path }) => path)], [false, ['keys.k.file']]);
    assert.match(open.problems[0]?.message ?? '', /open to other users/);
    const garbled = await check(context, keys, (cwd) => writeFile(join(cwd, 'keyring.json'), '{', { mode: 0o600 }));
    assert.match(garbled.problems[0]?.message ?? '', /not valid JSON/);
  });

  it('looks at certificates', async (context) => {
    const tls = `${credentials}listen: { tls: { cert: cert.pem, key: key.pem } }\n`;
    const valid = await certificate(Date.now() + 90 * dayMs);
    const { ok, served, warnings } = await check(context, tls, writePair(valid));
    assert.deepEqual([ok, served?.s3, warnings.length], [true, 'https://127.0.0.1:8080', 1]);
    const soon = await check(context, tls, writePair(await certificate(Date.now() + 3 * dayMs)));
    assert.match(soon.warnings.join('\n'), /^listen\.tls\.cert: the certificate is valid until /m);
    const over = await check(context, tls, writePair(await certificate(Date.now() - 3 * dayMs)));
    assert.match(over.problems[0]?.message ?? '', /^the certificate was valid until /);
    const other = await certificate(Date.now() + 90 * dayMs);
    const mismatch = await check(context, tls, writePair({ cert: valid.cert, key: other.key }));
    assert.deepEqual([mismatch.ok, mismatch.problems[0]?.path], [false, 'listen.tls']);
  });

  it('looks for directories that a start could not use', async (context) => {
    const backends = `${credentials}backends: { main: { type: filesystem, root: ./file/objects } }\n`;
    const { problems } = await check(context, backends, (cwd) => writeFile(join(cwd, 'file'), ''));
    assert.deepEqual(
      problems.map(({ path }) => path),
      ['backends.main.root'],
    );
    assert.match(problems[0]?.message ?? '', /file is not a directory$/);
  });

  it('ends with 3 where there is nothing to check', async (context) => {
    const cwd = await temporaryFolder(context);
    const { code, stdout, stderr } = await s3egHere(['check', '--config', 'missing.yaml'], { cwd });
    assert.deepEqual([code, stdout, stderr], [3, '', 's3eg: cannot read missing.yaml\n']);
  });
});
