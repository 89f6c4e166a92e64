import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { envelopeOnly, MetadataError, metadataOf, parseMetadata } from '../../../src/cli/offline/metadata-document.ts';

const parse = (text: string) => parseMetadata(Buffer.from(text));

/** What every form below says. */
const headers = { 'x-amz-meta-s3eg': 'AQ', 'x-amz-meta-colour': 'red', 'content-type': 'text/plain' };

const forms: readonly (readonly [name: string, document: unknown])[] = [
  [
    'aws s3api',
    { ContentType: 'text/plain', ContentLength: 416, ETag: '"x"', Metadata: { s3eg: 'AQ', colour: 'red' } },
  ],
  [
    'boto3',
    {
      ResponseMetadata: { HTTPHeaders: {} },
      ContentType: 'text/plain',
      ContentLength: 416,
      Metadata: { S3eg: 'AQ', Colour: 'red' },
    },
  ],
  [
    'prefixed names in a section',
    {
      status: 'success',
      size: 416,
      metadata: { 'Content-Type': 'text/plain', 'X-Amz-Meta-S3eg': 'AQ', 'X-Amz-Meta-Colour': 'red' },
    },
  ],
  [
    'header fields',
    {
      'Content-Type': 'text/plain',
      'content-length': '416',
      'X-Amz-Meta-S3eg': 'AQ',
      'x-amz-meta-colour': 'red',
      etag: '"x"',
    },
  ],
  ['user metadata', { s3eg: 'AQ', colour: 'red', 'content-type': 'text/plain', 'content-length': 416 }],
  ['a list of one', [{ ContentType: 'text/plain', ContentLength: 416, Metadata: { s3eg: 'AQ', colour: 'red' } }]],
];

/** An entry of `rclone lsjson --metadata`. */
const entry = (metadata: unknown) => ({
  Path: 'a',
  Name: 'a',
  Size: 416,
  ModTime: '2026-01-01T00:00:00Z',
  IsDir: false,
  Metadata: metadata,
});

describe('metadata documents', () => {
  for (const [name, document] of forms) {
    it(`reads ${name}`, () => {
      assert.deepEqual(metadataOf(document), { headers, isComplete: true, storedBytes: 416 });
      assert.deepEqual(parse(`\uFEFF ${JSON.stringify(document, undefined, 2)}\r\n`), metadataOf(document));
    });
  }

  it('reads header lines, of curl, mc or s3cmd', () => {
    const curl =
      'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 416\r\nx-amz-meta-s3eg: AQ\r\nX-Amz-Meta-Colour:red \r\n\r\n';
    assert.deepEqual(parse(curl), { headers, isComplete: true, storedBytes: 416 });
    const s3cmd =
      's3://b/k (object):\n   File size: 416\n   MIME type: text/plain\n   x-amz-meta-s3eg: AQ\n   x-amz-meta-colour: red\n';
    // github.com/minio/minio/issues/7451
    const mc =
      'Name      : k\nSize      : 416 B\nMetadata  :\n  X-Amz-Meta-Colour : red \n  X-Amz-Meta-S3eg   : AQ\n  Content-Type      : text/plain\n';
    assert.deepEqual(parse(mc), { headers, isComplete: true });
    const { 'content-type': _, ...withoutType } = headers;
    assert.deepEqual(parse(s3cmd), { headers: withoutType, isComplete: false });
  });

  it('takes bytes that are no UTF-8 for ISO-8859-1, as HTTP does', () => {
    const bytes = Buffer.from('x-amz-meta-s3eg: AQ\nx-amz-meta-name: Jos\xe9\n', 'latin1');
    assert.equal(parseMetadata(bytes).headers['x-amz-meta-name'], 'José');
    assert.equal(parse('x-amz-meta-s3eg: AQ\nx-amz-meta-name: José\n').headers['x-amz-meta-name'], 'José');
  });

  it('is incomplete where something is known to be missing', () => {
    const user = { s3eg: 'AQ', colour: 'red' };
    assert.equal(metadataOf({ ContentType: 'text/plain', Metadata: user, MissingMeta: 1 }).isComplete, false);
    assert.equal(metadataOf({ Metadata: user }).isComplete, false);
    assert.equal(metadataOf(user).isComplete, false);
    assert.deepEqual(envelopeOnly(' AQ\n'), { headers: { 'x-amz-meta-s3eg': 'AQ' }, isComplete: false });
  });

  it('keeps user metadata that is called like something else apart', () => {
    const document = { ContentType: 'text/plain', Metadata: { s3eg: 'AQ', 'content-type': 'mine', __proto__x: 'y' } };
    assert.deepEqual(metadataOf(document).headers, {
      'x-amz-meta-s3eg': 'AQ',
      'x-amz-meta-content-type': 'mine',
      'x-amz-meta-__proto__x': 'y',
      'content-type': 'text/plain',
    });
    const odd = parse('{"x-amz-meta-s3eg":"AQ","__proto__":{"x-amz-meta-colour":"red"},"x-amz-meta-n":5}');
    assert.deepEqual(odd.headers, { 'x-amz-meta-s3eg': 'AQ' });
  });

  it('undoes what rclone does to names and times', () => {
    const system = {
      btime: '2026-01-01T00:00:00Z',
      tier: 'STANDARD',
      'cache-control': 'no-cache',
      'content-disposition': 'x',
      'content-encoding': 'x',
      'content-language': 'x',
    };
    assert.deepEqual(metadataOf(entry({ ...system, s3eg: 'AQ', colour: 'red', 'content-type': 'text/plain' })), {
      headers,
      isComplete: false,
      storedBytes: 416,
    });
    const times: Readonly<Record<string, string>> = {
      '2023-11-14T22:13:20.123456789Z': '1700000000.123456789',
      '2023-11-14T22:13:20.12Z': '1700000000.12',
      '2023-11-14T22:13:20Z': '1700000000',
      '2023-11-14T23:13:20.5+01:00': '1700000000.5',
      '1970-01-01T00:00:00Z': '0',
      '1969-12-31T23:59:59.5Z': '1969-12-31T23:59:59.5Z',
      yesterday: 'yesterday',
    };
    for (const [shown, stored] of Object.entries(times)) {
      assert.equal(metadataOf(entry({ s3eg: 'AQ', mtime: shown })).headers['x-amz-meta-mtime'], stored, shown);
    }
  });

  it('refuses what is no metadata, without quoting it', () => {
    const refused = ['', 'hunter2', '{"hunter2"', '[]', '[{},{}]', '[5]', 'a: hunter2\n'];
    for (const text of refused) {
      assert.throws(
        () => parse(text),
        (error: unknown) => error instanceof MetadataError && !error.message.includes('hunter2'),
        text,
      );
    }
    assert.throws(() => metadataOf(5), MetadataError);
  });
});
