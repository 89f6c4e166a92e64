import assert from 'node:assert/strict';
import { cp, mkdir, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { s3eg, s3egHere, temporaryFolder } from './support/cli-support.ts';
import {
  assertRestored,
  contentOf,
  filesBelow,
  fixtureBucket,
  fixtureKeys,
  StoredFixture,
  summaryOf,
} from './support/decrypt-fixture.ts';
import { headObjectJson, saveWithSidecar } from './support/stored-object.ts';

describe('s3eg decrypt of a tree', () => {
  let fixture: StoredFixture;
  let keyring: readonly string[] = [];

  before(async () => {
    fixture = await StoredFixture.make({ after });
    keyring = ['--keyring', fixture.keyring];
  });

  after(() => fixture[Symbol.asyncDispose]());

  it('decrypts a tree with a metadata file beside each object', async (context) => {
    const work = await temporaryFolder(context);
    await fixture.saveTree(join(work, 'stored'));
    // What the gateway keeps for itself, and a file that only looks like metadata.
    await mkdir(join(work, 'stored', '.s3eg'));
    await writeFile(join(work, 'stored', '.s3eg', 'canary'), 'x');
    const result = await s3eg(
      ['decrypt', 'stored', '--bucket', fixtureBucket, '--output', 'restored', '--json', ...keyring],
      { cwd: work },
    );
    assert.equal(result.code, 0, `${result.stdout}${result.stderr}`);
    const { decrypted, skipped } = summaryOf(result.stdout);
    assert.deepEqual({ decrypted, skipped }, { decrypted: fixtureKeys.length, skipped: 1 });
    await assertRestored(join(work, 'restored'));
  });

  it('decrypts a tree with a manifest, as rclone writes it or with an object a line', async (context) => {
    const work = await temporaryFolder(context);
    await fixture.saveTree(join(work, 'with-sidecars'));
    await cp(join(work, 'with-sidecars'), join(work, 'stored'), {
      recursive: true,
      filter: (path) => !path.endsWith('.metadata.json'),
    });
    const entries = [...fixture.objects].map(([key, object]) => ({ key, head: headObjectJson(object) }));
    const rclone = entries.map(({ key, head }) => {
      const metadata = { ...head.Metadata, 'content-type': head.ContentType };
      return { Path: key, Name: key, Size: 1, ModTime: '2026-01-01T00:00:00Z', IsDir: false, Metadata: metadata };
    });
    const directory = { Path: 'folder', Name: 'folder', Size: -1, ModTime: '2026-01-01T00:00:00Z', IsDir: true };
    const manifests: Readonly<Record<string, string>> = {
      rclone: `[\n${[directory, ...rclone].map((entry) => JSON.stringify(entry)).join(',\n')}\n]\n`,
      'a line each': entries.map(({ key, head }) => `${JSON.stringify({ ...head, Key: key })}\n`).join(''),
      'a list of many lines': JSON.stringify(rclone, undefined, 2),
      'a list in one line': JSON.stringify(rclone),
    };
    for (const [form, text] of Object.entries(manifests)) {
      await writeFile(join(work, 'manifest'), text);
      const result = await s3egHere(
        [
          'decrypt',
          'stored',
          '--bucket',
          fixtureBucket,
          '--metadata',
          'manifest',
          '--output',
          'out',
          '--json',
          ...keyring,
        ],
        { cwd: work },
      );
      assert.equal(result.code, 0, `${form}: ${result.stdout}${result.stderr}`);
      assert.equal(summaryOf(result.stdout).decrypted, fixtureKeys.length, form);
      await assertRestored(join(work, 'out'));
      await rm(join(work, 'out'), { recursive: true });
    }
  });

  it('puts the prefix in front of the paths of a tree', async (context) => {
    const work = await temporaryFolder(context);
    await mkdir(join(work, 'stored'));
    await saveWithSidecar(join(work, 'stored', 'multi.bin'), fixture.object('folder/multi.bin'));
    const args = ['decrypt', 'stored', '--bucket', fixtureBucket, '--output', 'out', '--json', ...keyring];
    const without = await s3egHere(args, { cwd: work });
    assert.deepEqual([without.code, summaryOf(without.stdout).failures[0]?.code], [1, 'wrong_key']);
    const result = await s3egHere([...args, '--prefix', 'folder/'], { cwd: work });
    assert.equal(result.code, 0, result.stdout);
    assert.ok((await readFile(join(work, 'out', 'multi.bin'))).equals(contentOf('folder/multi.bin')));
  });

  it('goes on after what fails in a tree, and names each failure', async (context) => {
    const work = await temporaryFolder(context);
    await fixture.saveTree(join(work, 'stored'));
    const damaged = await open(join(work, 'stored', 'exact.bin'), 'r+');
    await damaged.write(Buffer.alloc(4), 0, 4, 1_000);
    await damaged.close();
    await writeFile(join(work, 'stored', 'no-metadata'), 'x');
    await writeFile(join(work, 'stored', 'plain.txt'), 'never encrypted');
    await writeFile(join(work, 'stored', 'plain.txt.metadata.json'), '{"ContentType":"text/plain","Metadata":{}}');
    await writeFile(join(work, 'stored', 'garbled'), 'x');
    await writeFile(join(work, 'stored', 'garbled.metadata.json'), '{"Metadata":');
    await symlink('single.bin', join(work, 'stored', 'link'));
    const result = await s3eg(
      ['decrypt', 'stored', '--bucket', fixtureBucket, '--output', 'out', '--json', ...keyring],
      {
        cwd: work,
      },
    );
    assert.equal(result.code, 1);
    const { failures, decrypted } = summaryOf(result.stdout);
    assert.deepEqual(Object.fromEntries(failures.map(({ name, code }) => [name, code])), {
      'exact.bin': 'authentication_failed',
      garbled: 'metadata_unreadable',
      link: 'not_regular',
      'no-metadata': 'no_metadata',
      'plain.txt': 'not_format_1',
    });
    assert.equal(decrypted, fixtureKeys.length - 1);
    await assertRestored(
      join(work, 'out'),
      fixtureKeys.filter((key) => key !== 'exact.bin'),
    );
  });

  it('takes nothing from a manifest that leads out of the tree', async (context) => {
    const work = await temporaryFolder(context);
    await mkdir(join(work, 'stored'));
    await saveWithSidecar(join(work, 'secret'), fixture.object('single.bin'));
    await writeFile(join(work, 'stored', 'x'), 'x');
    const head = headObjectJson(fixture.object('single.bin'));
    const paths = ['../secret', 'a/../../secret', '/secret', './x', 'a//x', 'nowhere'];
    await writeFile(
      join(work, 'manifest'),
      paths.map((path) => `${JSON.stringify({ ...head, Path: path })}\n`).join(''),
    );
    const result = await s3egHere(
      [
        'decrypt',
        'stored',
        '--bucket',
        fixtureBucket,
        '--metadata',
        'manifest',
        '--output',
        'out',
        '--json',
        ...keyring,
      ],
      { cwd: work },
    );
    assert.equal(result.code, 1);
    assert.deepEqual(
      summaryOf(result.stdout).failures.map(({ code }) => code),
      ['bad_path', 'bad_path', 'bad_path', 'bad_path', 'bad_path', 'no_file', 'no_metadata'],
    );
    assert.deepEqual(await filesBelow(work), ['manifest', 'secret', 'secret.metadata.json', 'stored/x']);
  });

  it('replaces files only by force', async (context) => {
    const work = await temporaryFolder(context);
    await fixture.saveTree(join(work, 'stored'));
    await mkdir(join(work, 'out'));
    await writeFile(join(work, 'out', 'single.bin'), 'precious');
    const args = ['decrypt', 'stored', '--bucket', fixtureBucket, '--output', 'out', '--json', ...keyring];
    const careful = await s3egHere(args, { cwd: work });
    assert.equal(careful.code, 1);
    assert.deepEqual(
      summaryOf(careful.stdout).failures.map(({ name, code }) => [name, code]),
      [['single.bin', 'exists']],
    );
    assert.equal(await readFile(join(work, 'out', 'single.bin'), 'utf8'), 'precious');
    const forced = await s3egHere([...args, '--force'], { cwd: work });
    assert.equal(forced.code, 0, forced.stdout);
    await assertRestored(join(work, 'out'));
  });
});
