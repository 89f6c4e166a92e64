import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';

import { seededBytes } from './support/bytes.ts';
import { S3Client } from './support/client.ts';
import { Gateway, rootCredentials } from './support/gateway.ts';
import { listObjects } from './support/listing.ts';
import { completeUpload, createUpload, listParts, sendPart } from './support/multipart.ts';
import { suiteWithGateway } from './support/suite.ts';
import { textOf } from './support/xml.ts';

const mebibyte = 1024 ** 2;

function md5(...pieces: readonly (Uint8Array | string)[]): Buffer {
  const hash = createHash('md5');
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}

/** As S3 writes the ETag of an object that was put in one piece. */
function etagOf(content: Uint8Array | string): string {
  return `"${md5(content).toString('hex')}"`;
}

/** As S3 writes the ETag of a multipart object. */
function etagOfParts(parts: readonly (Uint8Array | string)[]): string {
  return `"${md5(...parts.map((part) => md5(part))).toString('hex')}-${parts.length}"`;
}

const md5Policy = { name: 'md5', match: { buckets: ['md5*'] }, encryption: { etag: 'md5' } };
const writer = { accessKeyId: 'WRITER', secretAccessKey: 'writes-and-deletes-only' };
const everything = { buckets: ['*'], prefixes: [''], actions: ['read', 'write', 'delete', 'list', 'admin'] };

const config = {
  credentials: [
    { ...rootCredentials, allow: [everything] },
    { ...writer, allow: [{ ...everything, actions: ['write', 'delete'] }] },
  ],
  policies: [
    md5Policy,
    { name: 'opaque', match: { buckets: ['opaque'] } },
    { name: 'off', match: { buckets: ['off'] }, encryption: { mode: 'off' } },
  ],
};

describe('ETags under etag: md5', () => {
  const suite = suiteWithGateway(['md5', 'md5-too', 'opaque', 'off'], { config });
  const never = etagOf('nothing that is stored');

  // Around the lengths to which a body is gathered, and one of several segments.
  for (const size of [0, 1, 65_536, 131_072, 131_073, 700_001]) {
    it(`are the MD5 of ${size} bytes in every answer about an object`, async () => {
      const { s3 } = suite;
      const bytes = seededBytes(`etag ${size}`, size);
      const expected = etagOf(bytes);
      const key = `of ${size}`;
      const contentMd5 = md5(bytes).toString('base64');
      const crc = { 'x-amz-checksum-sha256': createHash('sha256').update(bytes).digest('base64') };
      const sum = { 'x-amz-checksum-md5': contentMd5 };
      for (const headers of [{}, { 'content-md5': contentMd5 }, crc, { ...crc, 'content-md5': contentMd5 }, sum]) {
        const name = `${size} ${JSON.stringify(headers)}`;
        const put = await s3.put('md5', key, bytes, headers);
        assert.deepEqual([put.outcome, put.etag], ['200', expected], name);
        assert.equal((await s3.head('md5', key)).etag, expected, name);
        const got = await s3.get('md5', key, { 'x-amz-checksum-mode': 'ENABLED' });
        assert.deepEqual([got.etag, got.body.equals(bytes)], [expected, true], name);
        const given = 'x-amz-checksum-sha256' in headers ? headers['x-amz-checksum-sha256'] : undefined;
        assert.equal(got.headers['x-amz-checksum-sha256'], given, name);
        assert.equal((await s3.get('md5', key)).etag, expected, name);
        if (size > 0) assert.equal((await s3.get('md5', key, { range: 'bytes=0-0' })).etag, expected, name);
        const part = await s3.send({ method: 'GET', bucket: 'md5', key, query: { partNumber: '1' } });
        assert.deepEqual([part.etag, part.body.equals(bytes)], [expected, true], name);
        const attributes = await s3.send({
          method: 'GET',
          bucket: 'md5',
          key,
          query: { attributes: '' },
          headers: { 'x-amz-object-attributes': 'ETag,Checksum' },
        });
        assert.equal(`"${textOf(attributes.xml, 'ETag')}"`, expected, name);
      }
    });
  }

  it('do not let wrong bytes pass', async () => {
    const { s3 } = suite;
    for (const size of [10, 300_000]) {
      const wrong = { 'content-md5': md5('something else').toString('base64') };
      const put = await s3.put('md5', 'wrong', seededBytes('wrong', size), wrong);
      assert.equal(put.outcome, '400 BadDigest');
      assert.equal((await s3.head('md5', 'wrong')).status, 404);
    }
  });

  it('are opaque in listings, and good for conditions in both forms', async () => {
    const { s3 } = suite;
    const content = 'content of two names';
    await s3.put('md5', 'two-names', content);
    const { objects } = await listObjects(s3, 'md5', { version: 2, prefix: 'two-names' });
    const listed = objects[0]?.etag ?? '';
    assert.match(listed, /^"[0-9a-f]{32}-0"$/);
    for (const etag of [listed, etagOf(content), etagOf(content).replaceAll('"', ''), `${never}, ${etagOf(content)}`]) {
      assert.equal((await s3.get('md5', 'two-names', { 'if-match': etag })).outcome, '200', etag);
      const unchanged = await s3.get('md5', 'two-names', { 'if-none-match': etag });
      assert.deepEqual([unchanged.outcome, unchanged.etag], ['304', etagOf(content)], etag);
      const head = await s3.head('md5', 'two-names', { 'if-none-match': etag });
      assert.deepEqual([head.outcome, head.etag], ['304', etagOf(content)], etag);
    }
    for (const range of [etagOf(content), listed]) {
      const part = await s3.get('md5', 'two-names', { range: 'bytes=11-', 'if-range': range });
      assert.deepEqual([part.status, part.text], [206, 'two names'], range);
    }
    const whole = await s3.get('md5', 'two-names', { range: 'bytes=11-', 'if-range': never });
    assert.deepEqual([whole.status, whole.text], [200, content]);
    assert.equal((await s3.get('md5', 'two-names', { 'if-match': never })).outcome, '412 PreconditionFailed');
    assert.equal((await s3.get('md5', 'two-names', { 'if-none-match': never })).outcome, '200');
    assert.equal((await s3.get('md5', 'nobody', { 'if-match': never })).outcome, '404 NoSuchKey');
    const since = new Date(Date.now() + 86_400_000).toUTCString();
    const dated = await s3.get('md5', 'two-names', { 'if-modified-since': since });
    assert.deepEqual([dated.outcome, dated.etag], ['304', etagOf(content)]);
  });

  it('guard writes', async () => {
    const { s3 } = suite;
    await s3.put('md5', 'guarded', 'first');
    const outcome = async (headers: Record<string, string>, body = 'second'): Promise<string> =>
      (await s3.put('md5', 'guarded', body, headers)).outcome;
    assert.equal(await outcome({ 'if-match': never }), '412 PreconditionFailed');
    assert.equal(await outcome({ 'if-none-match': etagOf('first') }), '412 PreconditionFailed');
    assert.equal(await outcome({ 'if-none-match': `${never}, ${etagOf('first')}` }), '412 PreconditionFailed');
    assert.equal((await s3.get('md5', 'guarded')).text, 'first');
    assert.equal(await outcome({ 'if-match': etagOf('first') }), '200');
    assert.equal(await outcome({ 'if-match': etagOf('first') }, 'third'), '412 PreconditionFailed');
    assert.equal((await s3.get('md5', 'guarded')).text, 'second');
    assert.equal(await outcome({ 'if-none-match': etagOf('first') }, 'third'), '200');
    assert.equal((await s3.get('md5', 'guarded')).text, 'third');
    assert.equal((await s3.put('md5', 'fresh', 'x', { 'if-none-match': never })).outcome, '200');
    assert.equal((await s3.put('md5', 'absent', 'x', { 'if-match': never })).outcome, '404 NoSuchKey');
    assert.equal((await s3.delete('md5', 'guarded', { 'if-match': never })).outcome, '412 PreconditionFailed');
    assert.equal((await s3.delete('md5', 'guarded', { 'if-match': etagOf('third') })).outcome, '204');
    assert.equal((await s3.head('md5', 'guarded')).status, 404);
  });

  it('let one of many writers win that replace the same state', async () => {
    const { s3 } = suite;
    await s3.put('md5', 'race', 'before');
    for (const condition of [{ 'if-match': etagOf('before') }, { 'if-none-match': etagOf('after 3') }]) {
      const bodies = Array.from({ length: 8 }, (_, index) => `after ${index}`);
      const answers = await Promise.all(bodies.map(async (body) => s3.put('md5', 'race', body, condition)));
      const outcomes = answers.map(({ outcome }) => outcome);
      if ('if-match' in condition) assert.equal(outcomes.filter((outcome) => outcome === '200').length, 1);
      // What must not be replaced stays from the moment at which it is there.
      else if (outcomes[3] === '200') assert.equal((await s3.get('md5', 'race')).text, 'after 3');
      assert.ok(
        outcomes.every((outcome) => /^(?:200|412 PreconditionFailed|409 .*)$/.test(outcome)),
        String(outcomes),
      );
      await s3.put('md5', 'race', 'before');
    }
  });

  it('tell nothing to who may not read', async () => {
    const { s3 } = suite;
    await s3.put('md5', 'unread', 'secret');
    for (const guess of [etagOf('secret'), never]) {
      const request = { bucket: 'md5', key: 'unread', credentials: writer, headers: { 'if-match': guess } };
      assert.equal((await s3.send({ ...request, method: 'DELETE' })).outcome, '403 AccessDenied');
      assert.equal((await s3.send({ ...request, method: 'PUT', body: 'x' })).outcome, '403 AccessDenied');
    }
    assert.equal((await s3.get('md5', 'unread')).text, 'secret');
  });

  it('of multipart objects are the MD5 of those of the parts', async () => {
    const { s3 } = suite;
    const parts = [seededBytes('one', 5 * mebibyte), seededBytes('two', 6 * mebibyte + 1), seededBytes('end', 12)];
    const expected = etagOfParts(parts);
    for (const headers of [{}, { 'x-amz-checksum-algorithm': 'CRC64NVME' }]) {
      const upload = await createUpload(s3, 'md5', 'parts', headers);
      const sent: { partNumber: number; etag: string }[] = [];
      for (const [index, part] of parts.entries()) {
        const given = index === 1 ? { 'content-md5': md5(part).toString('base64') } : {};
        const { etag } = await sendPart(s3, upload, index + 1, part, given);
        sent.push({ partNumber: index + 1, etag });
      }
      assert.deepEqual(
        (await listParts(s3, upload)).map(({ etag }) => etag),
        sent.map(({ etag }) => etag),
      );
      const forged = sent.map((part) => ({ ...part, etag: part.etag.replace(/.{8}"$/, '00000000"') }));
      assert.equal((await completeUpload(s3, upload, forged)).outcome, '400 InvalidPart');
      const completed = await completeUpload(s3, upload, sent);
      assert.equal(textOf(completed.xml, 'ETag'), expected);
      const again = await completeUpload(s3, upload, sent);
      assert.equal(textOf(again.xml, 'ETag'), expected);
      assert.equal((await s3.head('md5', 'parts')).etag, expected);
      assert.equal((await s3.get('md5', 'parts')).etag, expected);
      assert.equal((await s3.get('md5', 'parts', { range: 'bytes=9-9', 'if-match': expected })).etag, expected);
      assert.equal((await s3.get('md5', 'parts', { 'if-none-match': expected })).outcome, '304');
      const { objects } = await listObjects(s3, 'md5', { version: 2, prefix: 'parts' });
      assert.notEqual(objects[0]?.etag, expected);
      assert.equal((await s3.head('md5', 'parts', { 'if-match': objects[0]?.etag ?? '' })).outcome, '200');
    }
  });

  it('of a multipart object with a part of unknown MD5 are opaque', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'md5', 'bare');
    const { etag } = await sendPart(s3, upload, 1, 'content');
    const bare = etag.replace(/-.*$/, '"');
    const completed = textOf((await completeUpload(s3, upload, [{ partNumber: 1, etag: bare }])).xml, 'ETag') ?? '';
    assert.match(completed, /^"[0-9a-f]{32}-[1-9]\d*"$/);
    assert.notEqual(completed, etagOfParts(['content']));
    assert.equal((await s3.head('md5', 'bare', { 'if-match': completed })).etag, completed);
  });

  it('of copies are those of their content', async () => {
    const { s3 } = suite;
    const content = seededBytes('copied', 200_000);
    await s3.put('md5', 'source', content);
    await s3.put('opaque', 'source', content);
    await s3.put('off', 'source', content);
    for (const from of ['md5', 'opaque', 'off']) {
      const headers = { 'x-amz-copy-source': `/${from}/source` };
      const copied = await s3.send({ method: 'PUT', bucket: 'md5-too', key: `from ${from}`, headers });
      assert.equal(textOf(copied.xml, 'ETag'), etagOf(content), from);
      const got = await s3.get('md5-too', `from ${from}`);
      assert.deepEqual([got.etag, got.body.equals(content)], [etagOf(content), true], from);
    }
    const copy = async (to: string, headers: Record<string, string>): Promise<string> =>
      (await s3.send({ method: 'PUT', bucket: to, key: 'conditional', headers })).outcome;
    const source = { 'x-amz-copy-source': '/md5/source' };
    assert.equal(await copy('md5', { ...source, 'x-amz-copy-source-if-match': etagOf(content) }), '200');
    assert.equal(await copy('md5', { ...source, 'x-amz-copy-source-if-match': never }), '412 PreconditionFailed');
    const unwanted = { ...source, 'x-amz-copy-source-if-none-match': etagOf(content) };
    assert.equal(await copy('md5', unwanted), '412 PreconditionFailed');
    assert.equal(await copy('opaque', unwanted), '412 PreconditionFailed');
    assert.equal(await copy('md5', { ...source, 'if-match': never }), '412 PreconditionFailed');
    assert.equal(await copy('md5', { ...source, 'if-match': etagOf(content) }), '200');
    const opaque = await s3.head('opaque', 'conditional');
    assert.equal(opaque.status, 404);
  });

  it('of parts that are copied count', async () => {
    const { s3 } = suite;
    const content = seededBytes('part copy', 400_000);
    await s3.put('opaque', 'part-source', content);
    const upload = await createUpload(s3, 'md5', 'part-copy');
    const { bucket, key, uploadId } = upload;
    const copied = await s3.send({
      method: 'PUT',
      bucket,
      key,
      query: { partNumber: '1', uploadId },
      headers: { 'x-amz-copy-source': '/opaque/part-source', 'x-amz-copy-source-range': 'bytes=1-300000' },
    });
    const etag = textOf(copied.xml, 'ETag') ?? '';
    const completed = await completeUpload(s3, upload, [{ partNumber: 1, etag }]);
    assert.equal(textOf(completed.xml, 'ETag'), etagOfParts([content.subarray(1, 300_001)]));
  });

  it('of objects from before are opaque until they are copied onto themselves', async () => {
    const content = seededBytes('before', 150_000);
    const { etag } = await suite.s3.put('opaque', 'before', content);
    assert.match(etag, /^"[0-9a-f]{32}-0"$/);
    const refused = await suite.s3.get('opaque', 'before', { 'if-match': etagOf(content) });
    assert.equal(refused.outcome, '412 PreconditionFailed');
    await using later = await Gateway.start({
      config: { policies: [{ name: 'later', encryption: { etag: 'md5' } }] },
      directory: suite.gateway.directory,
    });
    using s3 = new S3Client(later);
    assert.equal((await s3.get('opaque', 'before')).etag, etag);
    assert.equal((await s3.get('opaque', 'before', { 'if-match': etagOf(content) })).outcome, '412 PreconditionFailed');
    assert.equal((await s3.get('opaque', 'before', { 'if-match': etag })).outcome, '200');
    const copied = await s3.send({
      method: 'PUT',
      bucket: 'opaque',
      key: 'before',
      headers: { 'x-amz-copy-source': '/opaque/before', 'x-amz-metadata-directive': 'REPLACE' },
    });
    assert.equal(textOf(copied.xml, 'ETag'), etagOf(content));
    const got = await s3.get('opaque', 'before', { 'if-match': etagOf(content) });
    assert.deepEqual([got.etag, got.body.equals(content)], [etagOf(content), true]);
  });
});
