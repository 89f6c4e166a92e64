import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { serverNames } from './support/backends.ts';
import { awsCli, type CommandClient } from './support/commands.ts';
import { plaintext, writePlaintext } from './support/plaintext.ts';
import { run, runOk, type Command } from './support/processes.ts';
import type { S3Client } from './support/s3-client.ts';
import { ownWorkspace, startSite, type Site } from './support/site.ts';
import { flipped } from './support/stored-object.ts';
import { repository, tools } from './support/tools.ts';
import { digest, fileDigest } from './support/workspace.ts';

const mebibyte = 1024 * 1024;
const bucket = 'reader-bucket';
const readerFolder = join(repository, 'tools/reference-reader');
/** Not written into the checkout. */
const env = { PATH: '/usr/bin:/bin', PYTHONDONTWRITEBYTECODE: '1' };

test('the reader passes its own tests', async () => {
  const args = ['-m', 'unittest', '-v'];
  const { stderr } = await runOk({ program: tools.python, args, cwd: readerFolder, env });
  const [, ran = '0'] = /^Ran (\d+) tests/m.exec(stderr) ?? [];
  assert.ok(Number(ran) >= 20, stderr);
  assert.match(stderr, /^OK$/m);
});

for (const name of serverNames) {
  describe(`reference reader, ${name}`, () => {
    const workspace = ownWorkspace();
    let site: Site;
    let client: S3Client;
    let rawAws: CommandClient;

    before(async () => {
      site = await startSite(name, workspace);
      ({ client } = site);
      const { access } = site.gateway.backend;
      assert.ok(access !== undefined);
      rawAws = await awsCli(workspace, access);
      await client.createBucket(bucket);
    });

    /** Downloads the stored object and its metadata with the AWS CLI, as the reader's manual says. */
    async function download(key: string): Promise<Command & { readonly output: string; readonly object: string }> {
      const cwd = await workspace.folder('download');
      const [object, metadata, output] = ['object', 'metadata', 'output'].map((file) => join(cwd, file));
      assert.ok(object !== undefined && metadata !== undefined && output !== undefined);
      const place = ['--bucket', bucket, '--key', key];
      await writeFile(metadata, (await rawAws.ok('s3api', 'head-object', ...place)).stdout);
      await rawAws.ok('s3api', 'get-object', ...place, object);
      const files = ['--metadata', metadata, '--object', object, '--output', output];
      const args = [join(readerFolder, 's3eg_reader.py'), '--keyring', site.gateway.keyring, ...place, ...files];
      return { program: tools.python, args, cwd, env, output, object };
    }

    for (const size of [0, 1, 65_536, 65_537, 5 * mebibyte]) {
      test(`decrypts a single PUT of ${size} bytes`, async () => {
        const bytes = plaintext(`single ${size}`, size);
        const key = `dir/einfach ü ${size}`;
        await client.put(bucket, key, bytes, { ContentType: 'text/x', Metadata: { colour: 'blue' } });
        const command = await download(key);
        await runOk(command);
        assert.equal(await fileDigest(command.output), digest(bytes));
      });
    }

    test('decrypts parts of odd sizes, one of them sent twice', async () => {
      const sizes = [5 * mebibyte + 1, 5 * mebibyte + 65_535, 7_000_001, 77];
      const parts = sizes.map((size) => plaintext(`part ${size}`, size));
      const upload = await client.createUpload(bucket, 'odd parts', { Metadata: { colour: 'blue' } });
      await client.uploadPart(upload, 2, plaintext('replaced', 6 * mebibyte));
      const named = await Promise.all(
        parts.map(async (part, index) => await client.uploadPart(upload, index + 1, part)),
      );
      await client.complete(upload, named);
      const command = await download('odd parts');
      await runOk(command);
      assert.equal(await fileDigest(command.output), digest(Buffer.concat(parts)));
    });

    test('decrypts what the AWS CLI uploaded', async () => {
      const aws = await awsCli(workspace, site.gateway.access);
      const file = join(await workspace.folder('cli'), 'file');
      await writePlaintext(file, 'reader cli', 20 * mebibyte + 3);
      await aws.ok('s3', 'cp', '--no-progress', file, `s3://${bucket}/cli`);
      const command = await download('cli');
      await runOk(command);
      assert.equal(await fileDigest(command.output), await fileDigest(file));
    });

    test('refuses a changed byte, another key and another keyring', async () => {
      await client.put(bucket, 'refused', plaintext('refused', 100_000));
      const command = await download('refused');
      const { object, args } = command;
      await runOk(command);
      const stored = await readFile(object);
      await writeFile(object, flipped(stored, 70_000, 1));
      const changed = await run({ ...command });
      assert.equal(changed.code, 1, changed.stderr);
      await writeFile(object, stored);
      const renamed = await run({ ...command, args: args.map((arg) => (arg === 'refused' ? 'renamed' : arg)) });
      assert.equal(renamed.code, 1, renamed.stderr);
      const elsewhere = await startSite('embedded', workspace);
      const { keyring } = site.gateway;
      const other = args.map((arg) => (arg === keyring ? elsewhere.gateway.keyring : arg));
      assert.equal((await run({ ...command, args: other })).code, 1);
    });
  });
}
