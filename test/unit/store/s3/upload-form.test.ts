import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { describe, it, type TestContext } from 'node:test';

import { streamOf } from '../../../../src/base/streams.ts';
import { UploadForms } from '../../../../src/store/s3/upload-form.ts';
import { bitwiseCrc32, readChunked } from './chunked-reader.ts';
import { s3StoreAt, scriptedBackend, serverPort } from './scripted-backend.ts';

interface Upload {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly text?: string;
}

type Judge = (upload: Upload) => Answer | undefined;

const refusals = {
  s3: [
    'InvalidRequest',
    'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters',
  ],
  's3, of a part': [
    'InvalidRequest',
    'Content-MD5 HTTP header is required for Put Part requests with Object Lock parameters',
  ],
  moto: [
    'MissingUploadObjectWithObjectLockHeaders',
    'Content-MD5 or x-amz-sdk-checksum-algorithm header required to upload an object with a retention period configured using Object Lock',
  ],
} as const;

function refusal([code, message]: readonly [string, string], status = 400): Answer {
  return { status, text: `<Error><Code>${code}</Code><Message>${message}</Message></Error>` };
}

/** A backend that takes every upload which `judge` says nothing of. */
async function judgingBackend(context: TestContext, judge: Judge) {
  const seen: Upload[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { method = '', url: target = '', headers } = request;
      const upload = { method, target, headers, body: Buffer.concat(pieces) };
      seen.push(upload);
      const created = '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>';
      const taken = method === 'POST' ? { status: 200, text: created } : { status: method === 'DELETE' ? 204 : 200 };
      const { status, text = '' }: Answer = judge(upload) ?? taken;
      response.writeHead(status, { etag: '"e"' }).end(text);
    });
  });
  const store = s3StoreAt(await serverPort(server));
  context.after(async () => {
    await store.close();
    server.closeAllConnections();
    server.close();
  });
  return { store, seen };
}

const lock = { 'x-amz-object-lock-legal-hold': 'ON' };

/** In pieces, so that what is long is gone from memory when the answer comes. */
function put(bytes: Buffer, { bucket = 'bucket', headers = {} } = {}) {
  const pieces = Array.from({ length: Math.ceil(bytes.length / 60_000) }, (_, index) =>
    bytes.subarray(index * 60_000, (index + 1) * 60_000),
  );
  return { bucket, key: 'k', headers, body: streamOf(...pieces), lengthBytes: bytes.length };
}

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('base64');
const crc = (bytes: Buffer): string => bitwiseCrc32(bytes).toString('base64');

function isChecked({ headers }: Upload): boolean {
  return ['content-md5', 'x-amz-checksum-crc32', 'x-amz-trailer'].some((name) => name in headers);
}

function assertPlain(upload: Upload | undefined, bytes: Buffer): void {
  assert.ok(upload !== undefined && !isChecked(upload));
  assert.equal(upload.headers['x-amz-content-sha256'], 'UNSIGNED-PAYLOAD');
  const coded = ['content-encoding', 'x-amz-decoded-content-length', 'x-amz-sdk-checksum-algorithm'];
  assert.deepEqual(
    coded.filter((name) => name in upload.headers),
    [],
  );
  assert.ok(upload.body.equals(bytes));
}

function assertTrailered(upload: Upload | undefined, bytes: Buffer, coding = 'aws-chunked'): void {
  assert.ok(upload !== undefined);
  assert.equal(upload.headers['x-amz-content-sha256'], 'STREAMING-UNSIGNED-PAYLOAD-TRAILER');
  assert.equal(upload.headers['content-encoding'], coding);
  assert.equal(upload.headers['x-amz-decoded-content-length'], String(bytes.length));
  assert.equal(upload.headers['x-amz-trailer'], 'x-amz-checksum-crc32');
  const { content, trailer } = readChunked(upload.body);
  assert.ok(content.equals(bytes));
  assert.equal(trailer, `x-amz-checksum-crc32:${crc(bytes)}`);
}

const small = randomBytes(1000);
const long = randomBytes(1_200_000);

describe('checksums of uploads', () => {
  it('are not sent where nothing wants them', async (context) => {
    const { store, seen } = await judgingBackend(context, () => undefined);
    await store.putObject(put(small));
    await store.putObject(put(long));
    assertPlain(seen[0], small);
    assertPlain(seen[1], long);
  });

  it('go with an object that is to be locked', async (context) => {
    const { store, seen } = await judgingBackend(context, () => undefined);
    await store.putObject(put(small, { headers: lock }));
    await store.putObject(put(long, { headers: { ...lock, 'content-encoding': 'gzip' } }));
    await store.putObject(put(small));
    assert.equal(seen[0]?.headers['content-md5'], md5(small));
    assertTrailered(seen[1], long, 'aws-chunked,gzip');
    assertPlain(seen[2], small);
  });

  it('are made anew for another attempt', async (context) => {
    const busy = [refusal(['SlowDown', 'Reduce your request rate.'], 503)];
    const { store, seen } = await judgingBackend(context, () => busy.shift());
    const bytes = long.subarray(0, 200_000);
    await store.putObject(put(bytes, { headers: lock }));
    assert.equal(seen.length, 2);
    for (const upload of seen) assertTrailered(upload, bytes);
  });

  for (const [what, said] of Object.entries(refusals)) {
    it(`are sent to a bucket that has asked for them, in the words of ${what}`, async (context) => {
      const { store, seen } = await judgingBackend(context, (upload) =>
        upload.target.startsWith('/bucket') && upload.method === 'PUT' && !isChecked(upload)
          ? refusal(said)
          : undefined,
      );
      await store.putObject(put(small));
      assert.deepEqual(seen.map(isChecked), [false, true]);
      assert.ok(seen[1]?.body.equals(small));
      await store.expectingOwner('123456789012').putObject(put(long));
      assertTrailered(seen[2], long);
      const address = { bucket: 'bucket', key: 'k' };
      const { uploadId } = await store.createUpload({ ...address, headers: {} });
      assert.equal(seen[3]?.headers['x-amz-checksum-algorithm'], 'CRC32');
      assert.equal(seen[3]?.headers['x-amz-checksum-type'], 'FULL_OBJECT');
      await store.uploadPart({ ...put(long), uploadId, partNumber: 1 });
      assertTrailered(seen[4], long);
      await store.uploadPart({ ...put(small), uploadId, partNumber: 2 });
      assert.equal(seen[5]?.headers['x-amz-checksum-crc32'], crc(small));
      await store.putObject(put(small, { bucket: 'another' }));
      assertPlain(seen[6], small);
      assert.equal(seen.length, 7);
    });
  }

  it('are asked of the client where its bytes are gone', async (context) => {
    const { store, seen } = await judgingBackend(context, (upload) =>
      isChecked(upload) ? undefined : refusal(refusals.s3),
    );
    await assert.rejects(store.putObject(put(long)), { code: 'SlowDown', status: 503 });
    await store.putObject(put(long));
    assert.equal(seen.length, 2);
    assertTrailered(seen[1], long);
  });

  it('are given up where the backend does not know their form', async (context) => {
    const unknown = refusal(['InvalidArgument', 'x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a SHA-256']);
    const { store, seen } = await judgingBackend(context, ({ headers }) =>
      'x-amz-trailer' in headers ? unknown : undefined,
    );
    await assert.rejects(store.putObject(put(long, { headers: lock })), { code: 'SlowDown' });
    await store.putObject(put(long, { headers: lock }));
    assertPlain(seen[1], long);
    await store.putObject(put(small, { headers: lock }));
    assert.equal(seen[2]?.headers['content-md5'], md5(small));
  });

  it('do not make a backend be asked for ever that takes no form', async (context) => {
    const bytes = long.subarray(0, 200_000);
    const { store, seen } = await judgingBackend(context, ({ headers }) =>
      'x-amz-trailer' in headers ? refusal(['NotImplemented', 'No trailers here.'], 501) : refusal(refusals.s3),
    );
    await assert.rejects(store.putObject(put(bytes)), { code: 'InvalidRequest' });
    assert.deepEqual(seen.map(isChecked), [false, true, false]);
  });
});

function steps(seen: readonly Upload[]): string[] {
  return seen.map(({ method, headers }) => ('x-amz-checksum-algorithm' in headers ? `${method} announced` : method));
}

describe('the coding of an upload', () => {
  for (const [stored, shown] of [
    ['aws-chunked', undefined],
    ['aws-chunked,gzip', 'gzip'],
    ['gzip, aws-chunked', 'gzip'],
    ['gzip', 'gzip'],
  ] as const) {
    it(`is not taken for the object's where a backend gives ${stored} back`, async (context) => {
      const answer = { status: 200, headers: { etag: '"e"', 'content-length': '1', 'content-encoding': stored } };
      const { store } = await scriptedBackend(context, [answer, { ...answer, pieces: ['x'] }]);
      const head = await store.headObject({ bucket: 'bucket', key: 'k' });
      const body = await store.getObject({ bucket: 'bucket', key: 'k' });
      await body.discard();
      assert.deepEqual([head.headers['content-encoding'], body.headers['content-encoding']], [shown, shown]);
      assert.equal(head.headers['etag'], '"e"');
    });
  }
});

describe('uploads in parts that are to be locked', () => {
  const address = { bucket: 'bucket', key: 'k' };

  it('ask once whether the bucket wants checksums of parts', async (context) => {
    const { store, seen } = await judgingBackend(context, () => undefined);
    await store.createUpload({ ...address, headers: lock });
    const { uploadId } = await store.createUpload({ ...address, headers: lock });
    assert.deepEqual(steps(seen), ['POST', 'PUT', 'DELETE', 'POST', 'POST']);
    await store.uploadPart({ ...put(long), uploadId, partNumber: 1 });
    assertPlain(seen[5], long);
  });

  it('announce them where it does', async (context) => {
    const mismatch = refusal(['InvalidRequest', 'Checksum Type mismatch occurred, expected checksum Type: null']);
    let isAnnounced = false;
    const { store, seen } = await judgingBackend(context, (upload) => {
      if (upload.method === 'POST') isAnnounced = 'x-amz-checksum-algorithm' in upload.headers;
      if (upload.method !== 'PUT') return undefined;
      if (!isChecked(upload)) return refusal(refusals['s3, of a part']);
      return isAnnounced ? undefined : mismatch;
    });
    const { uploadId } = await store.createUpload({ ...address, headers: lock });
    assert.deepEqual(steps(seen), ['POST', 'PUT', 'PUT', 'DELETE', 'POST announced']);
    await store.uploadPart({ ...put(long), uploadId, partNumber: 1 });
    assertTrailered(seen[5], long);
  });

  it('are created where it cannot be found out', async (context) => {
    const { store, seen } = await judgingBackend(context, ({ method }) =>
      method === 'PUT' ? refusal(['AccessDenied', 'Access Denied'], 403) : undefined,
    );
    assert.equal((await store.createUpload({ ...address, headers: lock })).uploadId, 'u');
    assert.deepEqual(steps(seen), ['POST', 'PUT', 'DELETE', 'POST']);
  });
});

describe('what is kept of the buckets that want checksums', () => {
  const hourMs = 3_600_000;
  it('is forgotten after twelve hours', () => {
    let nowMs = 0;
    const forms = new UploadForms({ now: () => nowMs });
    forms.remember('bucket', true);
    nowMs = 12 * hourMs - 1;
    assert.equal(forms.formOf({ operation: 'CreateMultipartUpload', bucket: 'bucket' }), 'announced');
    nowMs += 1;
    assert.equal(forms.formOf({ operation: 'CreateMultipartUpload', bucket: 'bucket' }), 'plain');
    assert.equal(forms.wantedIn('bucket'), undefined);
  });

  it('is of 1024 buckets at most', () => {
    const forms = new UploadForms({ now: () => 0 });
    for (let index = 0; index < 1025; index++) forms.remember(`bucket${index}`, true);
    assert.equal(forms.wantedIn('bucket0'), undefined);
    assert.equal(forms.wantedIn('bucket1'), true);
    assert.equal(forms.wantedIn('bucket1024'), true);
  });
});
