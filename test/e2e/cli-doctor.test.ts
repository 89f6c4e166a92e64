import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';

import { streamOf } from '../../src/base/streams.ts';
import { FilesystemStore } from '../../src/store/filesystem/filesystem-store.ts';
import { runtimeProgram } from '../support/runtimes.ts';
import { finish, launcher, s3egHere, start, temporaryFolder } from './support/cli-support.ts';

interface Report {
  readonly ok: boolean;
  readonly backends: readonly {
    readonly name: string;
    readonly findings: readonly { readonly capability: string; readonly outcome: string }[];
    readonly problems: readonly string[];
  }[];
  readonly keys: readonly {
    readonly name: string;
    readonly versions?: number;
    readonly problems: readonly string[];
    readonly advice: readonly string[];
  }[];
}

const embedded = 'backends: { main: { type: filesystem, root: ./objects } }\n';

async function folderWith(context: TestContext, config: string): Promise<string> {
  const cwd = await temporaryFolder(context);
  await writeFile(join(cwd, 'gateway.yaml'), config);
  return cwd;
}

async function doctor(cwd: string, ...args: readonly string[]) {
  return await s3egHere(['doctor', '--config', 'gateway.yaml', ...args], { cwd });
}

async function withStore<Result>(cwd: string, use: (store: FilesystemStore) => Promise<Result>): Promise<Result> {
  const store = await FilesystemStore.open({ root: join(cwd, 'objects') });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** A backend of the test's own, as configuration. */
async function backendOf(
  context: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const endpoint = `http://127.0.0.1:${address.port}`;
  const credentials = { accessKeyId: 'doctor', secretAccessKey: 'doctor-secret' };
  return JSON.stringify({ backends: { main: { type: 's3', endpoint, credentials, retries: 0 } } });
}

describe('s3eg doctor', () => {
  it('says what the embedded store can do, and leaves nothing behind', async (context) => {
    const cwd = await folderWith(context, embedded);
    const { code, stdout, stderr } = await doctor(cwd, '--json');
    assert.equal(code, 0, stdout);
    assert.equal(stderr, '');
    const report: Report = JSON.parse(stdout);
    assert.ok(report.ok);
    const outcomes = new Map(
      report.backends.flatMap(({ findings }) => findings.map(({ capability, outcome }) => [capability, outcome])),
    );
    for (const works of ['objects', 'multipart', 'conditionalCreations', 'conditionalDeletes', 'partsOfAnySize']) {
      assert.equal(outcomes.get(works), 'works', works);
    }
    for (const lacks of ['versions', 'objectLock', 'lifecycle']) assert.equal(outcomes.get(lacks), 'lacks', lacks);
    assert.deepEqual(await withStore(cwd, async (store) => await store.listBuckets()), []);
    assert.match(report.keys.flatMap(({ advice }) => advice).join(), /made at the first start/);
  });

  it('works in a given bucket without touching what is there', async (context) => {
    const cwd = await folderWith(context, embedded);
    await withStore(cwd, async (store) => {
      await store.createBucket('given', {});
      const body = streamOf(Buffer.from('kept'));
      await store.putObject({ bucket: 'given', key: 'object', headers: {}, body, lengthBytes: 4 });
    });
    const { code, stdout } = await doctor(cwd, '--json', '--backend', 'main', '--bucket', 'given');
    assert.equal(code, 0, stdout);
    const { backends }: Report = JSON.parse(stdout);
    const unknown = backends.flatMap(({ findings }) => findings.filter(({ outcome }) => outcome === 'unknown'));
    assert.deepEqual(unknown.map(({ capability }) => capability).toSorted(), [
      'bucketCreation',
      'bucketPolicies',
      'cors',
      'lifecycle',
      'objectLock',
      'versions',
    ]);
    const left = await withStore(cwd, async (store) => {
      const { uploads } = await store.listUploads({ bucket: 'given' });
      assert.deepEqual(uploads, []);
      return await store.listObjects({ bucket: 'given', version: 2 });
    });
    assert.deepEqual(
      left.objects.map(({ key }) => key),
      ['object'],
    );
  });

  it('probes each key, and says what is wrong with one', async (context) => {
    const cwd = await folderWith(context, embedded);
    await mkdir(join(cwd, 'data'), { mode: 0o700 });
    await writeFile(join(cwd, 'data', 'keyring.json'), '{', { mode: 0o600 });
    const { code, stdout } = await doctor(cwd);
    assert.equal(code, 1);
    assert.match(stdout, /Key local: local\n {2}problem: /);
    assert.match(stdout, /See the problems above/);
  });

  it('finds a backend that does not answer, and one that is not there', async (context) => {
    const cwd = await folderWith(context, await backendOf(context, (_, response) => response.destroy()));
    const { code, stdout } = await doctor(cwd, '--json');
    assert.equal(code, 1);
    const { backends }: Report = JSON.parse(stdout);
    assert.deepEqual(
      backends.map(({ findings, problems }) => [findings.length, problems.length > 0]),
      [[0, true]],
    );
    assert.ok(!stdout.includes('doctor-secret'));
  });

  it('refuses wrong usage with 2, and gives 3 where the configuration cannot be used', async (context) => {
    const cwd = await folderWith(context, embedded);
    assert.equal((await doctor(cwd, '--backend', 'other')).code, 2);
    assert.equal((await doctor(cwd, '--nonsense')).code, 2);
    await writeFile(join(cwd, 'gateway.yaml'), 'nonsense: 1\n');
    assert.equal((await doctor(cwd)).code, 3);
  });

  it('removes its bucket when it is stopped', async (context) => {
    const seen: string[] = [];
    const config = await backendOf(context, ({ method, url }, response) => {
      seen.push(`${method} ${url?.split('?')[0]}`);
      // The first object never gets an answer.
      if (method === 'PUT' && /^\/[^/]+\/./.test(url ?? '')) return;
      const listing = '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>';
      response.end(method === 'GET' ? listing : '');
    });
    const cwd = await folderWith(context, config);
    const child = start([runtimeProgram(), launcher, 'doctor', '--config', 'gateway.yaml'], { cwd });
    const finished = finish(child);
    while (!seen.some((line) => /^PUT \/[^/]+\/./.test(line))) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGINT');
    const { code, stderr } = await finished;
    assert.equal(code, 130, stderr);
    assert.match(stderr, /stopped/);
    const made = seen.find((line) => /^PUT \/[^/]+$/.test(line));
    assert.ok(made !== undefined && seen.includes(made.replace('PUT', 'DELETE')), seen.join('\n'));
  });
});
