import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';

import { seededBytes } from './support/bytes.ts';
import { S3Client, targetOf } from './support/client.ts';
import { Gateway, temporaryDirectory } from './support/gateway.ts';
import { abortUpload, completeUpload, createUpload, listParts, sendPart, uploadPart } from './support/multipart.ts';
import { RawConnection, requestHead } from './support/raw-connection.ts';
import { signHeaders } from './support/signing.ts';

const minPartBytes = 5 * 1024 * 1024;

describe('two gateways on one store', () => {
  let directory: string;
  let gateways: readonly [Gateway, Gateway];
  let clients: readonly [S3Client, S3Client];
  before(async () => {
    directory = await temporaryDirectory();
    gateways = [await Gateway.start({ directory }), await Gateway.start({ directory })];
    clients = [new S3Client(gateways[0]), new S3Client(gateways[1])];
    await clients[0].createBucket('bucket');
  });
  after(async () => {
    for (const client of clients) client[Symbol.dispose]();
    for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  it('see each other’s objects at once', async () => {
    const [one, two] = clients;
    for (let round = 0; round < 5; round++) {
      const put = await one.put('bucket', 'shared', `round ${round}`);
      const got = await two.get('bucket', 'shared');
      assert.deepEqual([got.text, got.etag], [`round ${round}`, put.etag]);
      await two.delete('bucket', 'shared');
      assert.equal((await one.head('bucket', 'shared')).status, 404);
    }
  });

  it('share an upload', async () => {
    const [one, two] = clients;
    const bodies = [minPartBytes + 1, 7_000_001, minPartBytes, 12_345].map((size) =>
      seededBytes(`shared ${size}`, size),
    );
    const upload = await createUpload(one, 'bucket', 'upload');
    const parts = [];
    for (const [index, body] of bodies.entries()) {
      // Each part is sent to both, with other bytes first: the last attempt counts wherever it arrived.
      await uploadPart(index % 2 === 0 ? one : two, upload, index + 1, seededBytes('wrong', body.length));
      parts.push(await uploadPart(index % 2 === 0 ? two : one, upload, index + 1, body));
    }
    for (const client of clients) {
      const listed = await listParts(client, upload);
      assert.deepEqual(
        listed.map(({ sizeBytes }) => sizeBytes),
        bodies.map(({ length }) => length),
      );
    }
    const first = await completeUpload(one, upload, parts);
    assert.equal(first.outcome, '200', first.text);
    const second = await completeUpload(two, upload, parts);
    assert.equal(second.text.replaceAll(two.host, one.host), first.text);
    for (const client of clients) {
      assert.ok((await client.get('bucket', 'upload')).body.equals(Buffer.concat(bodies)));
    }
  });

  it('complete an upload from what either of them lists', async () => {
    const [one, two] = clients;
    const upload = await createUpload(one, 'bucket', 'from-list');
    const bodies = [seededBytes('first', minPartBytes), seededBytes('second', 100)];
    for (const [index, body] of bodies.entries()) await uploadPart(one, upload, index + 1, body);
    // The other one shows bare ETags where it did not take the part itself: they are as good.
    const completed = await completeUpload(two, upload, await listParts(two, upload));
    assert.equal(completed.outcome, '200', completed.text);
    assert.ok((await one.get('bucket', 'from-list')).body.equals(Buffer.concat(bodies)));
  });

  it('both know when an upload is over', async () => {
    const [one, two] = clients;
    const aborted = await createUpload(one, 'bucket', 'over');
    await uploadPart(two, aborted, 1, 'small');
    await abortUpload(one, aborted);
    const large = seededBytes('large', minPartBytes);
    for (const body of ['small', large]) {
      assert.equal((await sendPart(two, aborted, 1, body)).outcome, '404 NoSuchUpload', `${body.length} bytes`);
    }
    const completed = await createUpload(one, 'bucket', 'over');
    const part = await uploadPart(two, completed, 1, 'small');
    await completeUpload(one, completed, [part]);
    assert.equal((await sendPart(two, completed, 2, 'small')).outcome, '404 NoSuchUpload');
    assert.equal((await abortUpload(two, completed)).outcome, '404 NoSuchUpload');
    const { uploadId } = completed;
    const listed = await two.send({ method: 'GET', bucket: 'bucket', key: 'over', query: { uploadId } });
    assert.equal(listed.outcome, '404 NoSuchUpload');
    assert.deepEqual(
      gateways[0].storedKeys('bucket').filter((key) => key.startsWith('.s3eg/uploads/')),
      [],
      'nothing of either upload is left',
    );
  });
});

describe('a gateway that is killed in the middle of an upload', () => {
  it('is replaced by one that goes on', async () => {
    const directory = await temporaryDirectory();
    const bodies = [seededBytes('one', minPartBytes + 1), seededBytes('two', 6_000_000), seededBytes('three', 99)];
    const [bodyOne = Buffer.alloc(0), bodyTwo = Buffer.alloc(0), bodyThree = Buffer.alloc(0)] = bodies;
    const first = await Gateway.start({ directory });
    const doomed = new S3Client(first);
    await doomed.createBucket('bucket');
    const upload = await createUpload(doomed, 'bucket', 'survivor');
    const partOne = await uploadPart(doomed, upload, 1, bodyOne);
    const partThree = await uploadPart(doomed, upload, 3, bodyThree);
    const filesBefore = await first.storedFiles();
    {
      // Half of part 2 is on its way.
      const { bucket, key, uploadId } = upload;
      const request = { method: 'PUT', bucket, key, query: { partNumber: '2', uploadId }, body: bodyTwo };
      const headers = await signHeaders(doomed.toSign(request), { credentials: doomed.credentials });
      using connection = await RawConnection.open(first.s3);
      connection.write(requestHead('PUT', targetOf(request), headers));
      connection.write(bodyTwo.subarray(0, 3_000_000));
      while ((await first.storedFiles()).length === filesBefore.length)
        await new Promise((done) => setTimeout(done, 20));
      await first.kill();
      await connection.closed();
    }
    doomed[Symbol.dispose]();
    {
      await using second = await Gateway.start({ directory });
      assert.deepEqual(await second.storedFiles(), filesBefore, 'the torn part is cleared away');
      using s3 = new S3Client(second);
      const listed = await listParts(s3, upload);
      assert.deepEqual(
        listed.map(({ partNumber, sizeBytes }) => [partNumber, sizeBytes]),
        [
          [1, bodyOne.length],
          [3, bodyThree.length],
        ],
      );
      const partTwo = await uploadPart(s3, upload, 2, bodyTwo);
      const completed = await completeUpload(s3, upload, [partOne, partTwo, partThree]);
      assert.equal(completed.outcome, '200', completed.text);
      assert.ok((await s3.get('bucket', 'survivor')).body.equals(Buffer.concat(bodies)));
    }
    await rm(directory, { recursive: true, force: true });
  });
});
