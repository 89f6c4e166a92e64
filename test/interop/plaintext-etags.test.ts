import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { awsCli, rclone, s3cmd, type CommandClient } from './support/commands.ts';
import { plaintext } from './support/plaintext.ts';
import { runOk } from './support/processes.ts';
import { ownWorkspace, startSite, type Site } from './support/site.ts';
import { repository, tools } from './support/tools.ts';
import { makeTree, treeSizes } from './support/trees.ts';
import { treeDigests } from './support/workspace.ts';

const bucket = 'md5-bucket';
const settings = { policies: [{ name: 'md5', encryption: { etag: 'md5' } }] };
/** rclone takes its cutoff for more than this. */
const inParts = ['--s3-upload-cutoff', '5M', '--s3-chunk-size', '5M'];

function md5Hex(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** Nothing in the output may be a complaint. */
function clean(text: string): string {
  assert.doesNotMatch(text, /\b(?:warning|error|failed|corrupt\w*)\b|could not be checked|MD5 Sums don't match/i);
  return text;
}

async function awsSync(aws: CommandClient, from: string, to: string): Promise<string> {
  return (await aws.ok('s3', 'sync', '--no-progress', from, to)).stdout;
}

for (const backend of ['embedded', 'minio'] as const) {
  describe(`ETags that are MD5s, ${backend}`, () => {
    const workspace = ownWorkspace();
    let site: Site;
    let tree: string;
    let aws: CommandClient;

    before(async () => {
      site = await startSite(backend, workspace, settings);
      tree = await makeTree(workspace);
      aws = await awsCli(workspace, site.gateway.access);
      await aws.ok('s3', 'mb', `s3://${bucket}`);
    });

    // With the provider Minio rclone holds the ETag of a multipart object against the MD5s of its parts.
    for (const provider of ['Other', 'Minio'] as const) {
      test(`rclone for ${provider} syncs and checks by content, and the second sync moves nothing`, async () => {
        const client = await rclone(workspace, { gate: site.gateway.access }, provider);
        const remote = `gate:${bucket}/rclone-${provider}`;
        const args = ['--log-level', 'INFO', '--stats-one-line', ...inParts];
        const first = clean((await client.ok(...args, 'sync', tree, remote)).stderr);
        assert.equal(first.match(/: Copied \(new\)/g)?.length, treeSizes.size, first);
        for (const again of [['sync'], ['sync', '--checksum']]) {
          assert.match(clean((await client.ok(...args, ...again, tree, remote)).stderr), /nothing to transfer/);
        }
        const checked = clean((await client.ok(...args, 'check', tree, remote)).stderr);
        assert.match(checked, new RegExp(`: ${treeSizes.size} matching files`));
        // What changed without another size or time is seen by its MD5.
        const { stdout: sums } = await client.ok('md5sum', remote);
        const file = 'deep/er/other.bin';
        assert.match(sums, new RegExp(`^${md5Hex(await readFile(join(tree, file)))}  ${file}$`, 'm'));
      });
    }

    test('s3cmd syncs, and the second sync moves nothing', async () => {
      const client = await s3cmd(workspace, site.gateway.access);
      const there = `s3://${bucket}/s3cmd/`;
      const transfers = async (...args: readonly string[]): Promise<readonly string[]> => {
        const { stdout, stderr } = await client.ok('sync', '--multipart-chunk-size-mb=5', ...args);
        return clean(`${stdout}\n${stderr}`)
          .split('\n')
          .filter((line) => /^(?:upload|download): /.test(line));
      };
      assert.ok((await transfers(`${tree}/`, there)).length >= treeSizes.size);
      assert.deepEqual(await transfers(`${tree}/`, there), []);
      const back = await workspace.folder('s3cmd-back');
      await transfers(there, `${back}/`);
      assert.deepEqual(await treeDigests(back), await treeDigests(tree));
      assert.deepEqual(await transfers(there, `${back}/`), []);
    });

    test('AWS CLI syncs, and the second sync moves nothing', async () => {
      assert.equal((await awsSync(aws, tree, `s3://${bucket}/aws`)).match(/^upload: /gm)?.length, treeSizes.size);
      assert.equal(await awsSync(aws, tree, `s3://${bucket}/aws`), '');
      const back = await workspace.folder('aws-back');
      await awsSync(aws, `s3://${bucket}/aws`, back);
      assert.deepEqual(await treeDigests(back), await treeDigests(tree));
      assert.equal(await awsSync(aws, `s3://${bucket}/aws`, back), '');
    });

    test('conditions by MD5 hold, and a refused write changes nothing', async () => {
      const { client } = site;
      const [first, second] = [plaintext('first', 1000), plaintext('second', 200_000)];
      const tags = { first: `"${md5Hex(first)}"`, second: `"${md5Hex(second)}"` };
      const refused = { code: 'PreconditionFailed' };
      assert.equal((await client.put(bucket, 'conditional', first)).ETag, tags.first);
      await assert.rejects(client.put(bucket, 'conditional', second, { IfMatch: tags.second }), refused);
      assert.equal((await client.head(bucket, 'conditional')).ETag, tags.first);
      await client.put(bucket, 'conditional', second, { IfMatch: tags.first });
      await assert.rejects(client.put(bucket, 'conditional', first, { IfMatch: tags.first }), refused);
      assert.equal((await client.get(bucket, 'conditional', { IfMatch: tags.second })).ETag, tags.second);
      await assert.rejects(client.get(bucket, 'conditional', { IfMatch: tags.first }), refused);
      await assert.rejects(client.get(bucket, 'conditional', { IfNoneMatch: tags.second }), { status: 304 });
      const [listed] = await client.list(bucket, { Prefix: 'conditional' });
      assert.match(listed?.ETag ?? '', /^"[0-9a-f]{32}-0"$/);
      assert.equal((await client.get(bucket, 'conditional', { IfMatch: listed?.ETag })).ETag, tags.second);
    });
  });
}

describe('what is sealed for ETags that are MD5s', () => {
  const workspace = ownWorkspace();
  let site: Site;

  before(async () => {
    site = await startSite('minio', workspace, settings);
    await site.client.createBucket(bucket);
  });

  async function requestsOf(work: () => Promise<unknown>): Promise<number> {
    const name = 's3eg_backend_requests_total';
    const before = await site.gateway.metric(name);
    await work();
    return (await site.gateway.metric(name)) - before;
  }

  test('costs no request where the MD5 is in the envelope, and one for each state else', async () => {
    const { client } = site;
    await client.put(bucket, 'small', plaintext('small', 100_000));
    await client.put(bucket, 'large', plaintext('large', 1_000_000));
    const head = async (key: string): Promise<number> => await requestsOf(async () => await client.head(bucket, key));
    assert.deepEqual([await head('small'), await head('small')], [1, 1]);
    assert.deepEqual([await head('large'), await head('large')], [2, 1]);
    const put = async (): Promise<unknown> => await client.put(bucket, 'counted', plaintext('counted', 1_000_000));
    assert.equal(await requestsOf(put), 1);
  });

  test('is read by the reference reader', async () => {
    const { agent, client, gateway } = site;
    const { access } = gateway.backend;
    assert.ok(access !== undefined);
    const provider = agent.client(access);
    const parts = [plaintext('reader part', 5 * 1024 ** 2 + 3), plaintext('reader end', 1000)];
    const [small, large] = [plaintext('reader small', 70_000), plaintext('reader large', 700_000)];
    await client.put(bucket, 'reader small', small);
    await client.put(bucket, 'reader large', large);
    const upload = await client.createUpload(bucket, 'reader parts');
    const named = await Promise.all(parts.map(async (part, index) => await client.uploadPart(upload, index + 1, part)));
    await client.complete(upload, named);
    const contents = { 'reader small': small, 'reader large': large, 'reader parts': Buffer.concat(parts) };
    for (const [key, content] of Object.entries(contents)) {
      const cwd = await workspace.folder('reader');
      const { ContentType, Metadata } = await provider.get(bucket, key, {}, join(cwd, 'object'));
      await writeFile(join(cwd, 'metadata'), JSON.stringify({ ContentType, Metadata }));
      const files = ['--metadata', 'metadata', '--object', 'object', '--output', 'output'];
      const reader = join(repository, 'tools/reference-reader/s3eg_reader.py');
      const args = [reader, '--keyring', gateway.keyring, '--bucket', bucket, '--key', key, ...files];
      await runOk({ program: tools.python, args, cwd, env: { PATH: '/usr/bin:/bin', PYTHONDONTWRITEBYTECODE: '1' } });
      assert.ok((await readFile(join(cwd, 'output'))).equals(content), key);
    }
  });
});
