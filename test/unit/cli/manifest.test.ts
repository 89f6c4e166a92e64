import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { readManifest } from '../../../src/cli/offline/manifest.ts';
import { MetadataError } from '../../../src/cli/offline/metadata-document.ts';

let folder = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3eg-manifest-'));
});

after(() => rm(folder, { recursive: true, force: true }));

/** Names of the entries, or what is wrong with them. */
async function read(text: string): Promise<string[]> {
  const file = join(folder, 'manifest');
  await writeFile(file, text);
  const found: string[] = [];
  for await (const entry of readManifest(file)) {
    if ('error' in entry) found.push(entry.error.message);
    else found.push('key' in entry.name ? `key ${entry.name.key}` : `path ${entry.name.path}`);
  }
  return found;
}

const a = { Path: 'a', ModTime: 'x', Metadata: { s3eg: 'AQ' } };
const b = { Key: 'p/b', ContentType: 'x', Metadata: { s3eg: 'AQ' } };
const directory = { Path: 'd', IsDir: true };
const all = [a, directory, b];

describe('manifests', () => {
  it('are read in every form of a list', async () => {
    const expected = ['path a', 'key p/b'];
    const lines = all.map((entry) => JSON.stringify(entry));
    assert.deepEqual(await read(`[\n${lines.join(',\n')}\n]\n`), expected);
    assert.deepEqual(await read(`[${lines.join(',\n')}]`), expected);
    assert.deepEqual(await read(`\uFEFF${lines.join('\r\n')}\r\n\r\n`), expected);
    assert.deepEqual(await read(JSON.stringify(all)), expected);
    assert.deepEqual(await read(JSON.stringify(all, undefined, 4)), expected);
    assert.deepEqual(await read(JSON.stringify(a)), ['path a']);
    assert.deepEqual(await read('[]'), []);
    assert.deepEqual(await read('[\n]\n'), []);
  });

  it('are read line by line however long they are', async () => {
    const count = 3_000;
    const lines = Array.from({ length: count }, (_, index) => JSON.stringify({ ...a, Path: `${index}` }));
    const found = await read(lines.join('\n'));
    assert.equal(found.length, count);
    assert.equal(found.at(-1), `path ${count - 1}`);
  });

  it('go on behind a bad entry, and say where it is', async () => {
    const lines = [
      JSON.stringify(a),
      '{"Path":',
      '5',
      '{"Metadata":{}}',
      '',
      '{"Path":"x","Metadata":[]}',
      JSON.stringify(b),
    ];
    assert.deepEqual(await read(lines.join('\n')), [
      'path a',
      'line 2 of the manifest: it is not valid JSON',
      'line 3 of the manifest: it is no JSON object',
      'line 4 of the manifest: it has neither Key nor Path',
      'path x',
      'key p/b',
    ]);
    assert.deepEqual(await read(JSON.stringify([a, 5, b])), [
      'path a',
      'entry 2 of the manifest: it is no JSON object',
      'key p/b',
    ]);
  });

  it('that are no JSON are refused', async () => {
    await assert.rejects(read('a\nb\n'), MetadataError);
    await assert.rejects(read('[{"Path":"a"},{"Pa'), MetadataError);
  });
});
