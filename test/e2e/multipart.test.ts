import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { seededBytes } from './support/bytes.ts';
import { checksumNames, checksumOf, md5Of } from './support/checksums.ts';
import {
  abortUpload,
  completeUpload,
  createUpload,
  listParts,
  listUploads,
  type Part,
  sendPart,
  type Upload,
  uploadPart,
} from './support/multipart.ts';
import { suiteWithGateway } from './support/suite.ts';
import { textOf } from './support/xml.ts';

const minPartBytes = 5 * 1024 * 1024;

describe('multipart uploads', () => {
  const suite = suiteWithGateway(['bucket']);

  const assertObject = async (key: string, expected: Uint8Array): Promise<void> => {
    const got = await suite.s3.get('bucket', key);
    assert.equal(got.status, 200);
    assert.ok(got.body.equals(expected), `${key} differs`);
    const head = await suite.s3.head('bucket', key);
    assert.deepEqual([head.headers['content-length'], head.etag], [String(expected.length), got.etag]);
  };

  it('take parts of any size in any order', async () => {
    const { s3 } = suite;
    const sizes = [minPartBytes + 1, minPartBytes + 65_535, 7_000_001, minPartBytes, 70_000];
    const bodies = sizes.map((size, index) => seededBytes(`part ${index}`, size));
    const upload = await createUpload(s3, 'bucket', 'any-order');
    const parts: Part[] = [];
    for (const index of [4, 2, 0, 3, 1]) {
      parts.push(await uploadPart(s3, upload, index + 1, bodies[index] ?? Buffer.alloc(0)));
    }
    const ordered = parts.toSorted((left, right) => left.partNumber - right.partNumber);
    const completed = await completeUpload(s3, upload, ordered);
    assert.equal(completed.outcome, '200', completed.text);
    const { xml } = completed;
    assert.equal(xml.name, 'CompleteMultipartUploadResult');
    assert.deepEqual([textOf(xml, 'Bucket'), textOf(xml, 'Key')], ['bucket', 'any-order']);
    assert.equal(textOf(xml, 'Location'), `http://${s3.host}/bucket/any-order`);
    await assertObject('any-order', Buffer.concat(bodies));
    assert.equal((await s3.head('bucket', 'any-order')).etag, textOf(xml, 'ETag'));
  });

  it('take part numbers with gaps, and leave out parts that are not named', async () => {
    const { s3, gateway } = suite;
    const filesBefore = (await gateway.storedFiles()).length;
    const upload = await createUpload(s3, 'bucket', 'gaps');
    const first = seededBytes('first', minPartBytes);
    const parts = [
      await uploadPart(s3, upload, 3, first),
      await uploadPart(s3, upload, 500, first),
      await uploadPart(s3, upload, 9_998, 'the end'),
    ];
    await uploadPart(s3, upload, 4, 'not named, small');
    await uploadPart(s3, upload, 5, seededBytes('not named, large', minPartBytes));
    await uploadPart(s3, upload, 9_999, seededBytes('not named, where the index would go', minPartBytes));
    assert.equal((await completeUpload(s3, upload, parts)).outcome, '200');
    await assertObject('gaps', Buffer.concat([first, first, Buffer.from('the end')]));
    assert.deepEqual(
      gateway.storedKeys('bucket').filter((key) => key.startsWith('.s3eg/uploads/')),
      [],
      'nothing of the upload is left',
    );
    assert.equal((await gateway.storedFiles()).length, filesBefore + 3);
  });

  it('let a part be sent again with other bytes and another size', async () => {
    const { s3 } = suite;
    const large = seededBytes('large', minPartBytes + 3);
    const other = seededBytes('other', minPartBytes + 3);
    const rows: readonly (readonly [name: string, attempts: readonly (Buffer | string)[]])[] = [
      ['large then large', [large, other]],
      ['small then large', ['small', large]],
      ['large then small', [large, 'small']],
      ['small then small', ['small', 'other']],
    ];
    for (const [key, attempts] of rows) {
      const upload = await createUpload(s3, 'bucket', key);
      const sent: Part[] = [];
      for (const body of attempts) sent.push(await uploadPart(s3, upload, 1, body));
      assert.notEqual(sent[0]?.etag, sent[1]?.etag);
      const last = sent[1] ?? { partNumber: 1, etag: '' };
      const listed = await listParts(s3, upload);
      assert.deepEqual(listed, [{ ...last, sizeBytes: Buffer.from(attempts[1] ?? '').length }], key);
      assert.equal((await completeUpload(s3, upload, [last])).outcome, '200', key);
      await assertObject(key, Buffer.from(attempts[1] ?? ''));
    }
  });

  it('do not take the ETag of an attempt that was replaced for the one that replaced it', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'bucket', 'replaced-attempt');
    const former = await uploadPart(s3, upload, 1, seededBytes('former', minPartBytes));
    const latter = await uploadPart(s3, upload, 1, seededBytes('latter', minPartBytes));
    assert.equal((await completeUpload(s3, upload, [former])).outcome, '400 InvalidPart');
    assert.equal((await completeUpload(s3, upload, [latter])).outcome, '200');
    await assertObject('replaced-attempt', seededBytes('latter', minPartBytes));
  });

  it('take ETags with quotes and without', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'bucket', 'unquoted');
    const part = await uploadPart(s3, upload, 1, 'content');
    const unquoted = { ...part, etag: part.etag.replaceAll('"', '') };
    assert.equal((await completeUpload(s3, upload, [unquoted])).outcome, '200');
    await assertObject('unquoted', Buffer.from('content'));
  });

  it('are completed once, and answer the same when asked again', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'bucket', 'twice');
    const parts = [
      await uploadPart(s3, upload, 1, seededBytes('first', minPartBytes)),
      await uploadPart(s3, upload, 2, 'second'),
    ];
    const first = await completeUpload(s3, upload, parts);
    const second = await completeUpload(s3, upload, parts);
    assert.deepEqual([first.outcome, second.outcome], ['200', '200']);
    assert.equal(second.text, first.text);
    const [onlyFirst] = parts;
    assert.ok(onlyFirst !== undefined);
    assert.equal((await completeUpload(s3, upload, [onlyFirst])).outcome, '404 NoSuchUpload');
    await s3.put('bucket', 'twice', 'replaced');
    assert.equal((await completeUpload(s3, upload, parts)).outcome, '404 NoSuchUpload');
    await s3.delete('bucket', 'twice');
    assert.equal((await completeUpload(s3, upload, parts)).outcome, '404 NoSuchUpload');
  });

  it('refuse parts that are too small, not there or not in order, and go on', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'bucket', 'refused');
    const small = await uploadPart(s3, upload, 1, 'too small');
    const large = await uploadPart(s3, upload, 2, seededBytes('large', minPartBytes));
    const last = await uploadPart(s3, upload, 3, 'last');
    const invented = { partNumber: 4, etag: last.etag };
    const wrong = { partNumber: 2, etag: `"${'0'.repeat(32)}"` };
    const wrongAttempt = { partNumber: 3, etag: last.etag.replace(/-[0-9a-f]{16}"$/, '-0123456789abcdef"') };
    const rows: readonly (readonly [parts: readonly Part[], outcome: string])[] = [
      [[small, large, last], '400 EntityTooSmall'],
      [[small, last], '400 EntityTooSmall'],
      [[large, last, invented], '400 InvalidPart'],
      [[wrong, last], '400 InvalidPart'],
      [[large, wrongAttempt], '400 InvalidPart'],
      [[last, large], '400 InvalidPartOrder'],
      [[large, large], '400 InvalidPartOrder'],
      [[], '400 MalformedXML'],
    ];
    for (const [parts, outcome] of rows) {
      assert.equal((await completeUpload(s3, upload, parts)).outcome, outcome);
      assert.equal((await s3.head('bucket', 'refused')).status, 404);
    }
    assert.equal((await completeUpload(s3, upload, [large, last])).outcome, '200');
    await assertObject('refused', Buffer.concat([seededBytes('large', minPartBytes), Buffer.from('last')]));
  });

  it('keep part 10000 for their index, unless it is the last and small', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'bucket', 'numbers');
    const large = seededBytes('large', minPartBytes);
    for (const [partNumber, body] of [
      [0, 'x'],
      [10_001, 'x'],
      [-1, 'x'],
      [10_000, large],
    ] as const) {
      const answer = await sendPart(s3, upload, partNumber, body);
      assert.equal(answer.outcome, '400 InvalidArgument', String(partNumber));
    }
    assert.deepEqual(await listParts(s3, upload), []);
    const parts = [await uploadPart(s3, upload, 9_999, large), await uploadPart(s3, upload, 10_000, 'last')];
    assert.equal((await completeUpload(s3, upload, parts)).outcome, '200');
    await assertObject('numbers', Buffer.concat([large, Buffer.from('last')]));
    const next = await createUpload(s3, 'bucket', 'numbers');
    const lastLarge = await uploadPart(s3, next, 9_999, large);
    assert.equal((await completeUpload(s3, next, [lastLarge])).outcome, '200');
    await assertObject('numbers', large);
  });

  it('list their parts page by page, with plaintext sizes and the ETags that were given', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'bucket', 'listed');
    const expected = [];
    for (const [partNumber, size] of [
      [2, 0],
      [3, minPartBytes],
      [7, minPartBytes + 65_537],
      [8, 12],
      [9, minPartBytes - 1],
    ] as const) {
      const part = await uploadPart(s3, upload, partNumber, seededBytes(`listed ${partNumber}`, size));
      expected.push({ ...part, sizeBytes: size });
    }
    assert.deepEqual(await listParts(s3, upload), expected);
    for (const maxParts of [1, 2, 4]) assert.deepEqual(await listParts(s3, upload, maxParts), expected);
    const { bucket, key, uploadId } = upload;
    const query = { uploadId, 'part-number-marker': '7', 'max-parts': '1' };
    const { xml } = await s3.send({ method: 'GET', bucket, key, query });
    assert.deepEqual(
      ['Bucket', 'Key', 'UploadId', 'PartNumberMarker', 'NextPartNumberMarker', 'MaxParts', 'IsTruncated'].map((name) =>
        textOf(xml, name),
      ),
      [bucket, key, uploadId, '7', '8', '1', 'true'],
    );
  });

  it('show nothing of the gateway’s when Complete was refused by a condition', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'conditional', 'there');
    for (const last of ['small', seededBytes('large', minPartBytes)]) {
      const upload = await createUpload(s3, 'bucket', 'conditional');
      const parts = [
        await uploadPart(s3, upload, 1, seededBytes('first', minPartBytes)),
        await uploadPart(s3, upload, 2, last),
      ];
      const before = await listParts(s3, upload);
      const refused = await completeUpload(s3, upload, parts, { 'if-none-match': '*' });
      assert.equal(refused.outcome, '412 PreconditionFailed');
      assert.deepEqual(await listParts(s3, upload), before);
      assert.equal((await abortUpload(s3, upload)).status, 204);
    }
  });

  it('verify the bytes of a part, and do not keep a wrong one', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'bucket', 'verified');
    for (const body of [Buffer.from('small'), seededBytes('large', minPartBytes)]) {
      const wrong = Buffer.from('other bytes');
      const headers = { 'content-md5': md5Of(wrong) };
      assert.equal((await sendPart(s3, upload, 1, body, headers)).outcome, '400 BadDigest');
      for (const name of checksumNames) {
        const answer = await sendPart(s3, upload, 1, body, { [`x-amz-checksum-${name}`]: checksumOf(name, wrong) });
        assert.equal(answer.outcome, '400 BadDigest', name);
      }
      assert.deepEqual(await listParts(s3, upload), []);
    }
    const body = Buffer.from('small');
    const right = checksumOf('crc64nvme', body);
    const answer = await sendPart(s3, upload, 1, body, { 'x-amz-checksum-crc64nvme': right });
    assert.deepEqual([answer.outcome, answer.headers['x-amz-checksum-crc64nvme']], ['200', right]);
  });

  it('that are aborted are gone, with all that they took', async () => {
    const { s3, gateway } = suite;
    const files = await gateway.storedFiles();
    const own = gateway.storedKeys('bucket').filter((key) => key.startsWith('.s3eg/uploads/'));
    const upload = await createUpload(s3, 'bucket', 'aborted');
    const part = await uploadPart(s3, upload, 1, seededBytes('large', minPartBytes));
    await uploadPart(s3, upload, 2, 'small');
    assert.equal((await abortUpload(s3, upload)).outcome, '204');
    assert.equal((await abortUpload(s3, upload)).outcome, '404 NoSuchUpload');
    assert.equal((await sendPart(s3, upload, 1, 'small')).outcome, '404 NoSuchUpload');
    assert.equal((await sendPart(s3, upload, 1, seededBytes('large', minPartBytes))).outcome, '404 NoSuchUpload');
    assert.equal((await completeUpload(s3, upload, [part])).outcome, '404 NoSuchUpload');
    assert.equal((await s3.head('bucket', 'aborted')).status, 404);
    assert.deepEqual(await gateway.storedFiles(), files);
    assert.deepEqual(
      gateway.storedKeys('bucket').filter((key) => key.startsWith('.s3eg/uploads/')),
      own,
    );
  });

  it('are found only by their own bucket, key and id', async () => {
    const { s3 } = suite;
    await s3.createBucket('other-bucket');
    const upload = await createUpload(s3, 'bucket', 'mine');
    for (const wrong of [
      { ...upload, uploadId: 'no-such-id' },
      { ...upload, uploadId: '../../record' },
      { ...upload, uploadId: `${upload.uploadId}0` },
      { ...upload, key: 'another' },
      { ...upload, bucket: 'other-bucket' },
    ] satisfies Upload[]) {
      const name = JSON.stringify(wrong);
      const { bucket, key, uploadId } = wrong;
      assert.equal((await sendPart(s3, wrong, 1, 'small')).outcome, '404 NoSuchUpload', name);
      const listed = await s3.send({ method: 'GET', bucket, key, query: { uploadId } });
      assert.equal(listed.outcome, '404 NoSuchUpload', name);
      assert.equal((await abortUpload(s3, wrong)).outcome, '404 NoSuchUpload', name);
      const part = { partNumber: 1, etag: '"x"' };
      assert.equal((await completeUpload(s3, wrong, [part])).outcome, '404 NoSuchUpload', name);
    }
    assert.deepEqual(await listParts(s3, upload), []);
  });

  it('do not touch the object of the same name until they are completed', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'pending', 'the old one');
    const upload = await createUpload(s3, 'bucket', 'pending');
    const part = await uploadPart(s3, upload, 1, 'the new one');
    assert.equal((await s3.get('bucket', 'pending')).text, 'the old one');
    await completeUpload(s3, upload, [part]);
    assert.equal((await s3.get('bucket', 'pending')).text, 'the new one');
  });

  it('are listed by key and then by their beginning, page by page', async () => {
    const { s3 } = suite;
    await s3.createBucket('uploads');
    const uploads: Upload[] = [];
    for (const key of ['a', 'a', 'a', 'b/1', 'b/2', 'b/2', 'c', 'odd <&> 🎉']) {
      uploads.push(await createUpload(s3, 'uploads', key));
    }
    assert.deepEqual(await listUploads(s3, 'uploads'), uploads);
    for (const size of ['1', '2', '3', '7']) {
      assert.deepEqual(await listUploads(s3, 'uploads', { 'max-uploads': size }), uploads, `${size} a page`);
    }
    const inFolder = uploads.filter(({ key }) => key.startsWith('b/'));
    assert.deepEqual(await listUploads(s3, 'uploads', { prefix: 'b/' }), inFolder);
    const { xml } = await s3.send({ method: 'GET', bucket: 'uploads', query: { uploads: '', delimiter: '/' } });
    assert.deepEqual(
      xml.children.filter(({ name }) => name === 'CommonPrefixes').map((entry) => textOf(entry, 'Prefix')),
      ['b/'],
    );
    assert.deepEqual(
      xml.children.filter(({ name }) => name === 'Upload').map((entry) => textOf(entry, 'Key')),
      ['a', 'a', 'a', 'c', 'odd <&> 🎉'],
    );
    for (const upload of uploads) assert.equal((await abortUpload(s3, upload)).status, 204);
    assert.deepEqual(await listUploads(s3, 'uploads'), []);
  });
});
