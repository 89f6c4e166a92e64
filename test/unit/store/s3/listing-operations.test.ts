import assert from 'node:assert/strict';
import { test } from 'node:test';

import { scriptedBackend, type ScriptedAnswer } from './scripted-backend.ts';

/** A page of version 1 that goes on; `names` are keys, those with a slash at their end common prefixes. */
function pageOf(names: readonly string[], nextMarker: string): ScriptedAnswer {
  const entries = names.map((name) =>
    name.endsWith('/')
      ? `<CommonPrefixes><Prefix>${name}</Prefix></CommonPrefixes>`
      : `<Contents><Key>${name}</Key><Size>1</Size><ETag>"e"</ETag></Contents>`,
  );
  const marker = `<NextMarker>${nextMarker}</NextMarker>`;
  const body = `<IsTruncated>true</IsTruncated>${marker}${entries.join('')}`;
  return { status: 200, pieces: [`<ListBucketResult>${body}</ListBucketResult>`] };
}

test('a marker that is no key of the prefix is given on as the last entry of the page', async (context) => {
  const pages = [
    { names: ['v/a', 'v/b'], nextMarker: 'v/b', expected: 'v/b' },
    // One sorts before the prefix, one behind it.
    { names: ['v/a', 'v/b'], nextMarker: '3ff1', expected: 'v/b' },
    { names: ['v/a', 'v/b'], nextMarker: 'zff1', expected: 'v/b' },
    { names: ['v/a', 'v/b/'], nextMarker: '3ff1', expected: 'v/b/' },
    { names: ['v/a/', 'v/b'], nextMarker: '3ff1', expected: 'v/b' },
    // By bytes, not by UTF-16 units.
    { names: ['v/\u{1f600}', 'v/\u{ff5e}/'], nextMarker: '3ff1', expected: 'v/\u{1f600}' },
    { names: [], nextMarker: '3ff1', expected: undefined },
  ];
  const { store } = await scriptedBackend(
    context,
    pages.map(({ names, nextMarker }) => pageOf(names, nextMarker)),
  );
  for (const { names, nextMarker, expected } of pages) {
    const page = await store.listObjects({ bucket: 'bucket', prefix: 'v/', version: 1 });
    assert.equal(page.nextMarker, expected, `${names.join()} with ${nextMarker}`);
  }
});

test('without a prefix any marker is given on as it came', async (context) => {
  const { store, seen } = await scriptedBackend(context, [pageOf(['a', 'b'], '3ff1'), pageOf(['c'], 'c')]);
  const { nextMarker } = await store.listObjects({ bucket: 'bucket', version: 1 });
  assert.equal(nextMarker, '3ff1');
  await store.listObjects({ bucket: 'bucket', version: 1, marker: '3ff1' });
  assert.equal(new URL(seen[1]?.target ?? '', 'http://s3').searchParams.get('marker'), '3ff1');
});
