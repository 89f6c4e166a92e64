import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { runtimeProgram } from '../support/runtimes.ts';
import {
  finish,
  launcher,
  olderNode,
  pretendNode20,
  s3eg,
  s3egHere,
  start,
  startGateway,
  startScript,
  temporaryFolder,
} from './support/cli-support.ts';

describe('the command line', () => {
  it('lists the commands that there are, and no others', async (context) => {
    const cwd = await temporaryFolder(context);
    const { code, stdout, stderr } = await s3eg(['--help'], { cwd });
    assert.deepEqual([code, stderr], [0, '']);
    const commands = [...stdout.matchAll(/^ {2}(\w+) /gm)].map(([, name]) => name);
    assert.deepEqual(commands, ['serve', 'check', 'doctor', 'keys', 'rewrap', 'inspect', 'decrypt', 'help']);
    const version = await s3eg(['--version'], { cwd });
    assert.deepEqual([version.code, version.stdout.trim()], [0, '0.1.0']);
  });

  it('ends with 2 and a suggestion when it is called wrongly', async (context) => {
    const cwd = await temporaryFolder(context);
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [['sreve'], /unknown command 'sreve'\n\(Did you mean serve\?\)/],
      [['serve', '--confg', 'x'], /unknown option '--confg'\n\(Did you mean --config\?\)/],
      [['serve', '--config'], /argument missing/],
      [['serve', 'x'], /too many arguments/],
      [['teleport'], /unknown command 'teleport'/],
      [['rewrap'], /required option '--bucket <name>' not specified/],
      [[], /Usage: s3eg/],
    ];
    for (const [index, [args, message]] of wrong.entries()) {
      const run = index < 2 ? s3eg : s3egHere;
      const { code, stdout, stderr } = await run(args, { cwd });
      assert.match(stderr, message);
      assert.deepEqual([code, stdout], [2, ''], args.join(' '));
    }
    assert.deepEqual(await readdir(cwd), []);
  });

  it('is strict behind npm start as well', async (context) => {
    const cwd = await temporaryFolder(context);
    for (const args of [['--confg', 'x'], ['check'], ['--config']]) {
      const { code, stderr } = await finish(start([runtimeProgram(), startScript, ...args], { cwd }));
      assert.equal(code, 2, stderr);
    }
    const missing = await finish(start([runtimeProgram(), startScript, '--config', 'missing.yaml'], { cwd }));
    assert.deepEqual([missing.code, missing.stderr], [3, 's3eg: missing.yaml: cannot read the file: ENOENT\n']);
    assert.deepEqual(await readdir(cwd), []);
  });
});

describe('the launcher', () => {
  it('runs commands from an older Node with the pinned one', async (context) => {
    const cwd = await temporaryFolder(context);
    const ran = await finish(start([process.execPath, ...pretendNode20, launcher, '--version'], { cwd }));
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [0, '0.1.0\n', '']);
    const failed = await finish(start([process.execPath, ...pretendNode20, launcher, 'sreve'], { cwd }));
    assert.equal(failed.code, 2);
  });

  it('says in one sentence what is missing where there is no pinned Node', async (context) => {
    const cwd = await temporaryFolder(context);
    await mkdir(join(cwd, 'bin'));
    await cp(launcher, join(cwd, 'bin', 's3eg.mjs'));
    const { code, stdout, stderr } = await finish(
      start([process.execPath, ...pretendNode20, join(cwd, 'bin', 's3eg.mjs'), 'serve'], { cwd }),
    );
    assert.deepEqual([code, stdout], [3, '']);
    assert.match(
      stderr,
      /^s3eg: needs Node 24 or newer, this is 20\.19\.0 and .*node is not there: run "npm ci" [^\n]*\n$/,
    );
  });

  it('says in one sentence that packages are missing', async (context) => {
    const cwd = await temporaryFolder(context);
    const root = join(launcher, '..', '..');
    for (const folder of ['bin', 'src']) await cp(join(root, folder), join(cwd, folder), { recursive: true });
    await writeFile(join(cwd, 'package.json'), '{"type":"module"}');
    const { code, stdout, stderr } = await finish(
      start([process.execPath, join(cwd, 'bin', 's3eg.mjs'), 'check'], { cwd }),
    );
    assert.deepEqual([code, stdout], [3, '']);
    assert.match(
      stderr,
      /^s3eg: a package is missing \(Cannot find package '[^']+'\): run "npm ci" in the folder of s3eg\.\n$/,
    );
  });

  it('passes signals on and ends as the command did', async (context) => {
    for (const [signal, code, endedBy] of [
      ['SIGTERM', 0, null],
      ['SIGINT', 0, null],
      ['SIGHUP', null, 'SIGHUP'],
    ] as const) {
      const folder = await temporaryFolder(context);
      const command = [process.execPath, ...pretendNode20, launcher, 'serve'] as const;
      const { child, endpoint } = await startGateway(context, folder, command);
      child.kill(signal);
      await once(child, 'close');
      assert.deepEqual([child.exitCode, child.signalCode], [code, endedBy], signal);
      await assert.rejects(fetch(endpoint), `the gateway outlived ${signal}`);
    }
  });

  const older = olderNode();
  const reason = older === undefined ? 'no Node older than 24 is on the PATH' : false;
  it('works with a real older Node', { skip: reason }, async (context) => {
    const folder = await temporaryFolder(context);
    assert.ok(older !== undefined);
    const version = await finish(start([older, launcher, '--version'], { cwd: folder }));
    assert.deepEqual([version.code, version.stdout], [0, '0.1.0\n'], version.stderr);
    const gateway = await startGateway(context, folder, [older, launcher, 'serve']);
    await gateway.client.createBucket('bucket');
    assert.equal(await gateway.stop(), 0);
  });
});

describe('s3eg serve', () => {
  it('lets a running request end after SIGTERM or SIGINT, and takes no new one', async (context) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const gateway = await startGateway(context, await temporaryFolder(context));
      const { child, client, endpoint } = gateway;
      await client.createBucket('bucket');
      const { body, status } = await client.startPut('bucket', 'key', 1_000);
      body.write(Buffer.alloc(500));
      const draining = gateway.logged('draining');
      child.kill(signal);
      // One Ctrl-C comes over several ways.
      child.kill(signal);
      await draining;
      await untilRefused(endpoint);
      assert.equal(child.exitCode, null);
      body.end(Buffer.alloc(500));
      assert.equal(await status, 200, signal);
      await once(child, 'close');
      assert.deepEqual([child.exitCode, child.signalCode], [0, null], signal);
    }
  });

  it('does not wait any longer at a second SIGINT', async (context) => {
    const gateway = await startGateway(context, await temporaryFolder(context));
    const { child, client } = gateway;
    await client.createBucket('bucket');
    const { status } = await client.startPut('bucket', 'key', 1_000);
    const draining = gateway.logged('draining');
    child.kill('SIGINT');
    await draining;
    await delay(600);
    assert.equal(child.exitCode, null);
    child.kill('SIGINT');
    await once(child, 'close');
    assert.equal(child.exitCode, 130);
    assert.ok((await status) instanceof Error);
  });

  it('stops while it waits for a backend that does not answer', async (context) => {
    const folder = await temporaryFolder(context);
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    context.after(() => void silent.close());
    const connected = once(silent, 'connection');
    await writeFile(join(folder, 'gateway.yaml'), silentBackend(silent.address()));
    const child = start([runtimeProgram(), launcher, 'serve', '--config', 'gateway.yaml'], { cwd: folder });
    const [socket] = await connected;
    context.after(() => socket.destroy());
    child.kill('SIGTERM');
    const { code, stderr } = await finish(child);
    assert.equal(code, 143, stderr);
  });

  it('prints new credentials once, apart from the log', async (context) => {
    const folder = await temporaryFolder(context);
    const said: string[] = [];
    for (let run = 0; run < 2; run += 1) {
      const gateway = await startGateway(context, folder);
      assert.equal(await gateway.stop(), 0);
      said.push(gateway.complaints());
    }
    assert.match(said[0] ?? '', /AWS_SECRET_ACCESS_KEY=[A-Za-z0-9_-]{40} /);
    assert.equal(said[1], '');
  });
});

/** Waits until nobody listens any more. */
async function untilRefused(endpoint: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    try {
      await fetch(endpoint);
    } catch {
      return;
    }
    await delay(25);
  }
  assert.fail('it still takes new connections');
}

function silentBackend(address: AddressInfo | string | null): string {
  assert.ok(typeof address === 'object' && address !== null);
  return (
    'listen: { port: 0 }\nadmin: { port: 0 }\n' +
    'credentials: [{ accessKeyId: tester, secretAccessKey: "not-secret", allow: [] }]\n' +
    `backends: { main: { type: s3, endpoint: "http://127.0.0.1:${address.port}", ` +
    'credentials: { accessKeyId: a, secretAccessKey: b } } }\n'
  );
}
