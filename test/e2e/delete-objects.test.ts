import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';

import { checksumOf, md5Of } from './support/checksums.ts';
import type { S3Client } from './support/client.ts';
import { listObjects } from './support/listing.ts';
import type { S3Response } from './support/response.ts';
import { suiteWithGateway } from './support/suite.ts';
import { all, escapeXml, textOf } from './support/xml.ts';

function deleteDocument(keys: readonly string[], isQuiet = false): string {
  const objects = keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join('');
  return `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${isQuiet ? '<Quiet>true</Quiet>' : ''}${objects}</Delete>`;
}

async function deleteObjects(
  s3: S3Client,
  body: string,
  headers: Readonly<Record<string, string>> = { 'content-md5': md5Of(Buffer.from(body)) },
): Promise<S3Response> {
  return s3.send({ method: 'POST', bucket: 'bucket', query: { delete: '' }, body, headers });
}

describe('DeleteObjects', () => {
  const suite = suiteWithGateway(['bucket']);

  const keysLeft = async (): Promise<string[]> =>
    (await listObjects(suite.s3, 'bucket', { version: 2 })).objects.map(({ key }) => key);

  it('deletes what is named, odd keys and keys that are not there among it, and nothing else', async () => {
    const { s3 } = suite;
    const doomed = ['a', 'a/b', 'a//b', '../x', 'with <&> "quotes"', 'control \u0001', 'line\nfeed', ' blanks ', '🎉'];
    const kept = ['A', 'a/', 'blanks', '%F0%9F%8E%89'];
    for (const key of [...doomed, ...kept]) await s3.put('bucket', key, 'x');
    const answer = await deleteObjects(s3, deleteDocument([...doomed, 'not there']));
    assert.equal(answer.outcome, '200', answer.text);
    assert.equal(answer.xml.name, 'DeleteResult');
    const deleted = all(answer.xml, 'Deleted').map((entry) => textOf(entry, 'Key') ?? '');
    assert.deepEqual(deleted.toSorted(), [...doomed, 'not there'].toSorted());
    assert.equal(all(answer.xml, 'Error').length, 0);
    assert.deepEqual((await keysLeft()).toSorted(), kept.toSorted());
  });

  it('says nothing of successes when asked to be quiet', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'quiet', 'x');
    const answer = await deleteObjects(s3, deleteDocument(['quiet'], true));
    assert.deepEqual([answer.outcome, answer.xml.children.length], ['200', 0]);
    assert.equal((await s3.head('bucket', 'quiet')).status, 404);
  });

  it('refuses the gateway’s own keys one by one', async () => {
    const { s3, gateway } = suite;
    await s3.put('bucket', 'mine', 'x');
    await s3.send({ method: 'POST', bucket: 'bucket', key: 'k', query: { uploads: '' } });
    const record = gateway.storedKeys('bucket').find((key) => key.startsWith('.s3eg/'));
    assert.ok(record !== undefined);
    const answer = await deleteObjects(s3, deleteDocument(['mine', record], true));
    assert.deepEqual(
      all(answer.xml, 'Error').map((entry) => [textOf(entry, 'Key'), textOf(entry, 'Code')]),
      [[record, 'AccessDenied']],
    );
    assert.ok(gateway.storedKeys('bucket').includes(record));
    assert.equal((await s3.head('bucket', 'mine')).status, 404);
  });

  it('takes a thousand keys and not one more', async () => {
    const { s3 } = suite;
    const keys = Array.from({ length: 1001 }, (_, index) => `many/${index}`);
    await s3.put('bucket', 'many/0', 'x');
    assert.equal((await deleteObjects(s3, deleteDocument(keys))).outcome, '400 MalformedXML');
    assert.equal((await s3.head('bucket', 'many/0')).status, 200);
    const answer = await deleteObjects(s3, deleteDocument(keys.slice(0, 1000)));
    assert.equal(all(answer.xml, 'Deleted').length, 1000);
    assert.equal((await s3.head('bucket', 'many/0')).status, 404);
  });

  it('wants its list guarded against damage, and checks the guard', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'guarded', 'x');
    const body = deleteDocument(['guarded']);
    const bytes = Buffer.from(body);
    const unsigned = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    for (const [headers, outcome] of [
      [unsigned, '400 InvalidRequest'],
      [{ 'content-md5': md5Of(Buffer.from('another')) }, '400 BadDigest'],
      [{ 'content-md5': 'not base64 of an MD5' }, '400 InvalidDigest'],
      [{ ...unsigned, 'x-amz-checksum-crc32c': checksumOf('crc32c', Buffer.from('another')) }, '400 BadDigest'],
      [
        { 'x-amz-content-sha256': createHash('sha256').update('another').digest('hex') },
        '400 XAmzContentSHA256Mismatch',
      ],
    ] as const) {
      assert.equal((await deleteObjects(s3, body, headers)).outcome, outcome, JSON.stringify(headers));
      assert.equal((await s3.head('bucket', 'guarded')).status, 200);
    }
    const guard = { ...unsigned, 'x-amz-checksum-crc32c': checksumOf('crc32c', bytes) };
    assert.equal((await deleteObjects(s3, body, guard)).outcome, '200');
    assert.equal((await s3.head('bucket', 'guarded')).status, 404);
  });

  it('refuses documents that are not what S3 defines', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'safe', 'x');
    const object = '<Object><Key>safe</Key></Object>';
    for (const [body, outcome] of [
      ['', '400 MalformedXML'],
      ['not xml', '400 MalformedXML'],
      ['<Delete></Delete>', '400 MalformedXML'],
      [`<Delete>${object}`, '400 MalformedXML'],
      [`<Other>${object}</Other>`, '400 MalformedXML'],
      [`<Delete>${object}<Object></Object></Delete>`, '400 MalformedXML'],
      [`<Delete>${object}<Unknown/></Delete>`, '400 MalformedXML'],
      [`<!DOCTYPE Delete [<!ENTITY k "safe">]><Delete>${object}</Delete>`, '400 MalformedXML'],
      [`<Delete><Object><Key>safe</Key><ETag>"x"</ETag></Object></Delete>`, '501 NotImplemented'],
      [`<Delete><Object><Key>${'k'.repeat(1025)}</Key></Object></Delete>`, '400 KeyTooLongError'],
    ] as const) {
      assert.equal((await deleteObjects(s3, body)).outcome, outcome, body.slice(0, 80));
      assert.equal((await s3.head('bucket', 'safe')).status, 200);
    }
  });
});
