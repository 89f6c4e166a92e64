import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { runSeed, SeededRandom, seededBytes } from './support/bytes.ts';
import { completeUpload, createUpload, uploadPart } from './support/multipart.ts';
import { listObjects, type ListParameters } from './support/listing.ts';
import { suiteWithGateway } from './support/suite.ts';
import { all, textOf } from './support/xml.ts';

/** Pieces of keys: what breaks XML, URLs, paths, orders and encodings. */
const pieces = [
  'a',
  'b',
  'B',
  'ab',
  '0',
  '-',
  '.',
  '..',
  '/',
  '//',
  ' ',
  '+',
  '%',
  '%2F',
  '%20',
  '&',
  '<',
  '>',
  '"',
  "'",
  '?',
  '#',
  ';',
  '=',
  '\\',
  '\u0001',
  '\t',
  '\n',
  '\r',
  '\u007f',
  '\u0085',
  'é',
  'e\u0301',
  'ß',
  '你',
  '\u2028',
  '\uff5e',
  '🎉',
  '\u{10ffff}',
] as const;

const random = new SeededRandom(`listing ${runSeed}`);

function oddKeys(count: number): string[] {
  const keys = new Set<string>();
  while (keys.size < count) {
    const key = Array.from({ length: 1 + random.below(5) }, () => random.pick(pieces)).join('');
    // Every third one in a folder, so that prefixes and delimiters have something to do.
    keys.add(random.below(3) === 0 ? `folder ${random.below(4)}/${key}` : key);
  }
  return [...keys];
}

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/** What a listing has to give, by the words of the S3 API reference. */
function model(keys: readonly string[], { prefix = '', delimiter, after }: ListParameters) {
  const objects: string[] = [];
  const commonPrefixes = new Set<string>();
  for (const key of keys.toSorted(byBytes)) {
    if (!key.startsWith(prefix)) continue;
    const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
    const rolledUp = end < 0 || delimiter === undefined ? undefined : key.slice(0, end + delimiter.length);
    if (after !== undefined && byBytes(rolledUp ?? key, after) <= 0) continue;
    if (rolledUp === undefined) objects.push(key);
    else commonPrefixes.add(rolledUp);
  }
  return { objects, commonPrefixes: [...commonPrefixes] };
}

describe('listings', () => {
  const suite = suiteWithGateway(['odd', 'reserved', 'small']);
  const keys = oddKeys(320);
  const sizes = new Map(keys.map((key) => [key, random.below(2000)] as const));

  it('show every key as it was written, in the order of its bytes', async () => {
    const { s3 } = suite;
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let index = next++; index < keys.length; index = next++) {
        const key = keys[index] ?? '';
        const put = await s3.put('odd', key, seededBytes(key, sizes.get(key) ?? 0));
        assert.equal(put.outcome, '200', `${JSON.stringify(key)}, E2E_SEED=${runSeed}`);
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    for (const version of [1, 2] as const) {
      for (const isEncoded of [false, true]) {
        const { objects } = await listObjects(s3, 'odd', { version, isEncoded });
        assert.deepEqual(
          objects.map(({ key }) => key),
          keys.toSorted(byBytes),
          `E2E_SEED=${runSeed}`,
        );
      }
    }
  });

  it('show the size, ETag and time that HEAD shows', async () => {
    const { s3 } = suite;
    const { objects } = await listObjects(s3, 'odd', { version: 2 });
    for (const { key, etag, sizeBytes, lastModified } of objects) {
      const { headers } = await s3.head('odd', key);
      assert.deepEqual(
        [headers['etag'], headers['content-length']],
        [etag, String(sizes.get(key))],
        JSON.stringify(key),
      );
      assert.equal(sizeBytes, sizes.get(key));
      assert.match(lastModified, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.equal(headers['last-modified'], new Date(Date.parse(lastModified)).toUTCString());
    }
  });

  it('page by page give what one page gives, with prefixes and delimiters', async () => {
    const { s3 } = suite;
    for (let round = 0; round < 40; round++) {
      const parameters: ListParameters = {
        version: random.pick([1, 2]),
        isEncoded: random.below(2) === 0,
        maxKeys: random.pick([7, 13, 40, 1000]),
        ...random.pick([{}, { prefix: 'folder ' }, { prefix: 'folder 1/' }, { prefix: random.pick(pieces) }]),
        ...random.pick([{}, { delimiter: '/' }, { delimiter: '//' }, { delimiter: random.pick(pieces) }]),
        ...random.pick([{}, {}, { after: random.pick(keys) }, { after: random.pick(pieces) }]),
      };
      const { objects, commonPrefixes } = await listObjects(s3, 'odd', parameters);
      const found = { objects: objects.map(({ key }) => key), commonPrefixes };
      assert.deepEqual(found, model(keys, parameters), `${JSON.stringify(parameters)}, E2E_SEED=${runSeed}`);
    }
  });

  it('of one key a page need as many pages as there are keys', async () => {
    const { s3 } = suite;
    for (const version of [1, 2] as const) {
      const parameters = { version, prefix: 'folder 2/', maxKeys: 1 };
      const expected = model(keys, parameters).objects;
      const { objects, pages } = await listObjects(s3, 'odd', parameters);
      assert.deepEqual(
        objects.map(({ key }) => key),
        expected,
      );
      assert.equal(pages, expected.length);
    }
  });

  it('of no key are empty and end', async () => {
    const { s3 } = suite;
    for (const query of [{ 'max-keys': '0' }, { 'list-type': '2', 'max-keys': '0' }, { prefix: 'nothing-like-it' }]) {
      const { xml } = await s3.send({ method: 'GET', bucket: 'odd', query });
      assert.deepEqual([all(xml, 'Contents').length, textOf(xml, 'IsTruncated')], [0, 'false'], JSON.stringify(query));
    }
  });

  it('refuse what is no number, token or encoding', async () => {
    const { s3 } = suite;
    for (const query of [
      { 'max-keys': '-1' },
      { 'max-keys': 'many' },
      { 'max-keys': '99999999999' },
      { 'encoding-type': 'base64' },
      { 'list-type': '2', 'continuation-token': 'not one of ours' },
      { 'list-type': '2', 'continuation-token': '' },
      { versions: '', 'version-id-marker': 'x' },
    ]) {
      const answer = await s3.send({ method: 'GET', bucket: 'odd', query });
      assert.equal(answer.outcome, '400 InvalidArgument', JSON.stringify(query));
    }
    const { xml } = await s3.send({ method: 'GET', bucket: 'odd', query: { 'max-keys': '5000' } });
    assert.equal(textOf(xml, 'MaxKeys'), '1000');
  });

  it('name the owner where S3 does', async () => {
    const { s3 } = suite;
    await s3.put('small', 'k', 'x');
    const ownerIn = async (query: Readonly<Record<string, string>>): Promise<boolean> => {
      const { xml } = await s3.send({ method: 'GET', bucket: 'small', query });
      return all(all(xml, 'Contents')[0] ?? xml, 'Owner').length > 0;
    };
    assert.equal(await ownerIn({}), true);
    assert.equal(await ownerIn({ 'list-type': '2' }), false);
    assert.equal(await ownerIn({ 'list-type': '2', 'fetch-owner': 'true' }), true);
  });

  it('show multipart objects with the size of their plaintext', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'small', 'multipart');
    const parts = [
      await uploadPart(s3, upload, 1, seededBytes('first', 5 * 1024 * 1024 + 1)),
      await uploadPart(s3, upload, 2, seededBytes('second', 12_345)),
    ];
    assert.equal((await completeUpload(s3, upload, parts)).outcome, '200');
    const { objects } = await listObjects(s3, 'small', { version: 2, prefix: 'multipart' });
    const head = await s3.head('small', 'multipart');
    assert.deepEqual([objects[0]?.sizeBytes, objects[0]?.etag], [5 * 1024 * 1024 + 1 + 12_345, head.etag]);
    assert.match(head.etag, /^"[0-9a-f]{32}-\d+"$/);
  });

  it('do not show the reserved prefix, however they are cut', async () => {
    const { s3 } = suite;
    const visible = ['.s', '.s3', '.s3eg', '.s3eg.', '.s3eg0', '.s3egx/y', 'k'];
    for (const key of visible) assert.equal((await s3.put('reserved', key, 'x')).outcome, '200', key);
    // Two uploads with a staged part each: several keys of the gateway's own.
    for (const key of ['first', 'second']) {
      const upload = await createUpload(s3, 'reserved', key);
      await uploadPart(s3, upload, 1, 'staged');
    }
    const own = suite.gateway.storedKeys('reserved').filter((key) => key.startsWith('.s3eg/'));
    assert.ok(own.length >= 4, 'there is something to hide');
    for (const version of [1, 2] as const) {
      for (const parameters of [
        {},
        { prefix: '.s3eg/' },
        { prefix: '.s3eg/up' },
        { prefix: '.s3eg' },
        { prefix: '.s' },
        { delimiter: '/' },
        { delimiter: 'e' },
        { delimiter: '.s3eg/' },
        { delimiter: 'g/u' },
        { prefix: '.s3eg', delimiter: '/' },
        { after: '.s3eg/' },
        { after: '.s3eg.' },
      ]) {
        for (const maxKeys of [1, 2, 1000]) {
          const { objects, commonPrefixes } = await listObjects(s3, 'reserved', { version, maxKeys, ...parameters });
          const found = { objects: objects.map(({ key }) => key), commonPrefixes };
          assert.deepEqual(
            found,
            model(visible, { version, ...parameters }),
            JSON.stringify({ maxKeys, ...parameters }),
          );
        }
      }
    }
  });

  it('do not show the reserved prefix, and nobody reaches what is under it', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'reserved', 'victim');
    for (const key of ['.s3eg/', '.s3eg/uploads/x/record', '.s3eg/canary/local', '.s3eg//x', '.s3eg/../k']) {
      for (const request of [
        { method: 'GET' },
        { method: 'HEAD' },
        { method: 'PUT', body: 'x' },
        { method: 'DELETE' },
        { method: 'POST', query: { uploads: '' } },
        { method: 'PUT', query: { partNumber: '1', uploadId: upload.uploadId }, body: 'x' },
        { method: 'GET', query: { uploadId: upload.uploadId } },
        { method: 'DELETE', query: { uploadId: upload.uploadId } },
      ]) {
        const answer = await s3.send({ bucket: 'reserved', key, ...request });
        assert.equal(answer.status, 403, `${request.method} ${key}`);
        if (request.method !== 'HEAD') assert.equal(answer.outcome, '403 AccessDenied');
      }
    }
    // Another spelling of the same path is the same key.
    for (const rawPath of ['/reserved/%2Es3eg/canary/local', '/reserved/.s3eg%2Fcanary/local']) {
      assert.equal((await s3.send({ method: 'GET', rawPath })).outcome, '403 AccessDenied', rawPath);
    }
    // And a path that only a client which normalises paths takes for it is a key of its own.
    assert.equal((await s3.put('reserved', 'x/../.s3eg/y', 'x')).outcome, '200');
    const uploads = await s3.send({ method: 'GET', bucket: 'reserved', query: { uploads: '' } });
    assert.ok(all(uploads.xml, 'Upload').every((entry) => textOf(entry, 'Key')?.startsWith('.s3eg/') === false));
  });
});
