import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { S3Client } from './support/client.ts';
import { type Ended, Gateway, GatewayProcess, listenerOf, temporaryDirectory } from './support/gateway.ts';

/** What the command ends with when it cannot run. */
const couldNotRun = 3;

const base = `listen: { port: 0 }
admin: { port: 0 }
`;

describe('a mistake in the configuration', () => {
  let directory = '';
  before(async () => {
    directory = await temporaryDirectory();
  });
  after(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  const run = async (config: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> => {
    await writeFile(join(directory, 'gateway.yaml'), config);
    return new GatewayProcess(directory, ['--config', 'gateway.yaml'], env).ended;
  };

  it('is told with file, line, column and what was meant, and nothing is started', async () => {
    const { code, output } = await run(
      [
        'listen: { port: 0, prot: 1 }',
        'admin: { port: 70000 }',
        'backends:',
        '  main: { type: filesytem, root: ./objects }',
        'polices: []',
        'dataKeyCache: { ttl: five minutes }',
        'policies:',
        '  - name: a',
        '    encryption: { mode: requierd }',
        '',
      ].join('\n'),
    );
    assert.equal(code, couldNotRun);
    const lines = output.trim().split('\n');
    for (const expected of [
      /gateway\.yaml:1:20: listen\.prot: unknown key "prot"; did you mean "port"\?/,
      /gateway\.yaml:2:\d+: admin\.port: must be at most 65535/,
      /gateway\.yaml:4:\d+: backends\.main\.type: .*did you mean "filesystem"\?/,
      /gateway\.yaml:5:1: polices: unknown key "polices"; did you mean "policies"\?/,
      /gateway\.yaml:6:\d+: dataKeyCache\.ttl: must be/,
      /gateway\.yaml:9:\d+: policies\[0\]\.encryption\.mode: .*did you mean "required"\?/,
    ]) {
      assert.equal(lines.filter((line) => expected.test(line)).length, 1, `${expected} in\n${output}`);
    }
    assert.doesNotMatch(output, /gateway started/);
  });

  it('in what the sections say of each other is told too', async () => {
    const { code, output } = await run(
      `${base}policies:
  - { name: a, backend: mian, encryption: { key: lokal } }
  - { name: b }
backends:
  main: { type: filesystem, root: ./objects }
keys:
  local: { type: local, file: ./keyring.json }
`,
    );
    assert.equal(code, couldNotRun);
    assert.match(output, /gateway\.yaml:4:\d+: policies\[0\]\.backend: there is no "mian".*did you mean "main"\?/);
    assert.match(
      output,
      /gateway\.yaml:4:\d+: policies\[0\]\.encryption\.key: there is no "lokal".*did you mean "local"\?/,
    );
    assert.match(output, /policies "a" and "b" match the same requests equally well/);
  });

  it('in the text itself is told by its place', async () => {
    for (const [config, expected] of [
      [`${base}a: [1, 2`, /gateway\.yaml:\d+:\d+: /],
      [`${base}credentialsFile: \${NOT_SET}\n`, /gateway\.yaml:3:\d+: credentialsFile: .*NOT_SET/],
    ] as const) {
      const { code, output } = await run(config);
      assert.equal(code, couldNotRun, config);
      assert.match(output, expected);
    }
  });

  it('that is a setting of a later release is refused, never passed over', async () => {
    const { code, output } = await run(
      `${base}telemetry: { otlpEndpoint: "http://127.0.0.1:4317" }
multipart: { ledger: valkey, url: "redis://127.0.0.1" }
backends: { b: { type: s3, endpoint: "http://127.0.0.1:1", credentials: aws-default } }
policies:
  - name: a
    compression: { algorithm: gzip }
    limits: { requestsPerSecond: 5, bytesPerSecond: 5MiB, concurrentRequests: 5 }
`,
    );
    assert.equal(code, couldNotRun);
    const refused = output
      .split('\n')
      .filter((line) => line.includes('not supported yet'))
      .map((line) => /gateway\.yaml:\d+:\d+: (\S+): /.exec(line)?.[1]);
    assert.deepEqual(refused, [
      'telemetry.otlpEndpoint',
      'multipart.ledger',
      'multipart.url',
      'backends.b.credentials',
      'policies[0].compression.algorithm',
      'policies[0].limits.requestsPerSecond',
      'policies[0].limits.bytesPerSecond',
      'policies[0].limits.concurrentRequests',
    ]);
  });

  it('does not show a secret', async () => {
    const secret = 'a-secret-that-must-not-be-shown';
    const credentials = [
      `{ accessKeyId: A, secretAccessKey: ${secret}, allow: [] }`,
      `{ accessKeyId: ABC, secretAccessKey: [${secret}], allow: [] }`,
      `{ accessKeyId: ABC, secretAccessKey: ${secret}, allow: ${secret} }`,
      `{ accessKeyId: ABC, secretAccessKey: "\${SECRET}", allow: "\${SECRET}" }`,
    ];
    const { code, output } = await run(
      `listen: { port: 0 }
admin: { token: ${secret}, port: "\${SECRET}" }
credentials: [${credentials.join(', ')}]
backends:
  b:
    type: s3
    endpoint: "http://user:${secret}@host"
    credentials: { accessKeyId: ABC, secretAccessKey: { value: ${secret} } }
`,
      { SECRET: secret },
    );
    assert.equal(code, couldNotRun);
    assert.ok(output.split('\n').length > 5, output);
    assert.ok(!output.includes(secret), output);
    const endpoint = `http://user:${secret}@host`;
    const valid = `{ accessKeyId: ABC, secretAccessKey: ${secret} }`;
    const second = await run(`${base}backends: { b: { type: s3, endpoint: "${endpoint}", credentials: ${valid} } }\n`);
    assert.equal(second.code, couldNotRun);
    assert.ok(!second.output.includes(secret), second.output);
    assert.match(second.output, /backends\.b\.endpoint: must not hold credentials/);
  });

  it('that only shows when it starts is told in a line', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    for (const [config, expected] of [
      [`listen: { port: ${address.port} }\nadmin: { port: 0 }\n`, /EADDRINUSE|Is port \d+ in use/],
      [`${base}backends: { b: { type: filesystem, root: ./gateway.yaml/objects } }\n`, /gateway\.yaml\/objects/],
      [
        `listen: { port: 0, tls: { cert: no.pem, key: no.pem } }\nadmin: { port: 0 }\n`,
        /listen\.tls\.cert: cannot read/,
      ],
      [`${base}keys: { k: { type: local, file: ./broken.json } }\n`, /broken\.json/],
    ] as const) {
      await writeFile(join(directory, 'broken.json'), '{ "not": "a keyring" }', { mode: 0o600 });
      const { code, output } = await run(config);
      assert.equal(code, couldNotRun, config);
      assert.match(output, expected, config);
      assert.doesNotMatch(output, /\n\s+at /, 'no stack trace for an operator');
    }
    server.close();
  });

  it('in the file’s name is told', async () => {
    const missing = await new GatewayProcess(directory, ['--config', 'not-there.yaml']).ended;
    assert.equal(missing.code, couldNotRun);
    assert.match(missing.output, /not-there\.yaml: cannot read the file: ENOENT/);
    const usage = await new GatewayProcess(directory, ['--confg', 'gateway.yaml']).ended;
    assert.equal(usage.code, 2);
    assert.match(usage.output, /--confg/);
  });
});

describe('a gateway without a configuration', () => {
  it('makes what it needs, says its credentials once, and finds all again', async () => {
    const directory = await temporaryDirectory();
    const env = { S3EG_LISTEN_PORT: '0', S3EG_ADMIN_PORT: '0' };
    const first = new GatewayProcess(directory, [], env);
    const s3 = await first.until(({ stdout }) => listenerOf(stdout, 'gateway started'));
    const shown = await first.until(
      ({ stderr }) => /AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+)/.exec(stderr) ?? undefined,
    );
    const [, accessKeyId = '', secretAccessKey = ''] = shown;
    assert.ok(!first.stdout.includes(secretAccessKey), 'on the terminal, not in the log');
    const credentials = { accessKeyId, secretAccessKey };
    {
      using client = new S3Client({ s3 }, { credentials });
      assert.equal((await client.createBucket('my-bucket')).outcome, '200');
      assert.equal((await client.put('my-bucket', 'README.md', 'content')).outcome, '200');
    }
    first.child.kill('SIGTERM');
    assert.equal((await first.ended).code, 0);
    for (const file of ['credentials.json', 'keyring.json']) {
      assert.equal((await stat(join(directory, 'data', file))).mode & 0o777, 0o600, file);
    }
    assert.ok((await readFile(join(directory, 'data', 'credentials.json'), 'utf8')).includes(secretAccessKey));
    const second = new GatewayProcess(directory, [], env);
    const again = await second.until(
      ({ stdout }) => listenerOf(stdout, 'admin listener started') && listenerOf(stdout, 'gateway started'),
    );
    {
      using client = new S3Client({ s3: again }, { credentials });
      assert.equal((await client.get('my-bucket', 'README.md')).text, 'content');
    }
    second.child.kill('SIGTERM');
    const ended = await second.ended;
    assert.equal(ended.code, 0);
    assert.ok(!ended.output.includes(secretAccessKey), 'not shown again');
    await rm(directory, { recursive: true, force: true });
  });

  it('refuses to run with a key that is not the one that its data was encrypted with', async () => {
    const directory = await temporaryDirectory();
    {
      await using gateway = await Gateway.start({ directory });
      using s3 = new S3Client(gateway);
      await s3.createBucket('bucket');
      await s3.put('bucket', 'k', 'content');
    }
    const keys = { local: { type: 'local', file: './another/keyring.json' } };
    await mkdir(join(directory, 'another'));
    await assert.rejects(Gateway.start({ directory, config: { keys } }), (error: Error) => {
      assert.match(error.message, /key "local"/);
      return true;
    });
    // With the right one everything is there.
    await using gateway = await Gateway.start({ directory });
    using s3 = new S3Client(gateway);
    assert.equal((await s3.get('bucket', 'k')).text, 'content');
    await rm(directory, { recursive: true, force: true });
  });
});
