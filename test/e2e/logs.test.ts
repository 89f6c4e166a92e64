import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { checksumOf, md5Of } from './support/checksums.ts';
import { S3Client } from './support/client.ts';
import { Gateway, rootCredentials, temporaryDirectory } from './support/gateway.ts';
import { completeUpload, createUpload, uploadPart } from './support/multipart.ts';
import { knownSecrets } from './support/secrets.ts';
import { streamingPut } from './support/streaming.ts';

/** Stands in every body and every piece of metadata that the run sends. */
const plaintext = 'PLAINTEXT-THAT-IS-NOBODY-ELSES-AFFAIR';

/** Fields that a line may have (docs: log and audit fields in snake_case). */
const fieldName = /^[a-z][a-z_]*$/;

describe('the log', () => {
  let directory = '';
  let output = '';
  let lines: Record<string, unknown>[] = [];
  const ids = new Map<string, string>();

  before(async () => {
    directory = await temporaryDirectory();
    await using gateway = await Gateway.start({ directory });
    using s3 = new S3Client(gateway);
    await exercise(s3, (name, answer) => ids.set(name, answer.headers['x-amz-request-id'] ?? ''));
    ({ output } = await gateway.stop());
    lines = gateway.process.logLines();
  });
  after(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  const lineOf = (name: string): Record<string, unknown> => {
    const line = lines.find(({ request_id: id, message }) => id === ids.get(name) && message === 'request');
    assert.ok(line !== undefined, `no line for ${name}`);
    return line;
  };

  it('has one line for each request, with what an operator needs', () => {
    for (const name of ids.keys()) {
      const count = lines.filter(({ request_id: id, message }) => id === ids.get(name) && message === 'request').length;
      assert.equal(count, 1, name);
    }
    const { duration_ms: duration, time, ...put } = lineOf('put');
    assert.ok(typeof duration === 'number' && duration > 0);
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(put, {
      level: 'info',
      message: 'request',
      request_id: ids.get('put'),
      remote_address: '127.0.0.1',
      access_key_id: rootCredentials.accessKeyId,
      operation: 'PutObject',
      bucket: 'bucket',
      key: 'k',
      policy: 'default',
      status: 200,
      outcome: 'ok',
      bytes_in: plaintext.length,
      bytes_out: 0,
    });
    const got = lineOf('get');
    assert.deepEqual([got['status'], got['bytes_out'], got['operation']], [200, plaintext.length, 'GetObject']);
  });

  it('says why a request was refused, and is no louder than that', () => {
    for (const [name, code] of [
      ['wrong signature', 'SignatureDoesNotMatch'],
      ['wrong md5', 'BadDigest'],
      ['no such key', 'NoSuchKey'],
      ['unknown', 'NotImplemented'],
    ] as const) {
      const line = lineOf(name);
      assert.deepEqual([line['error_code'], line['outcome'], line['level']], [code, 'client_error', 'info'], name);
    }
    assert.deepEqual(
      lines.filter(({ level }) => level === 'error'),
      [],
    );
  });

  it('is lines of JSON with flat fields, and nothing else', () => {
    for (const line of lines) {
      for (const [field, value] of Object.entries(line)) {
        assert.match(field, fieldName);
        assert.ok(['string', 'number', 'boolean'].includes(typeof value), `${field} of ${JSON.stringify(line)}`);
      }
    }
    const others = output.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    assert.deepEqual(others, []);
  });

  it('shows no secret key, signature, plaintext, metadata or key of the keyring', async () => {
    const keyring = await readFile(join(directory, 'keyring.json'), 'utf8');
    const keys = [...keyring.matchAll(/"([A-Za-z0-9+/_-]{40,}=*)"/g)].map(([, key = '']) => key);
    assert.ok(keys.length > 0, 'the keyring holds a key');
    const hex = keys.map((key) => Buffer.from(key, 'base64').toString('hex'));
    const secrets = [...knownSecrets(), ...keys, ...hex, plaintext, Buffer.from(plaintext).toString('base64')];
    assert.ok(secrets.length > 20, 'there is something to look for');
    for (const secret of secrets) assert.ok(!output.includes(secret), `${secret.slice(0, 8)}… is in the log`);
    assert.doesNotMatch(output, /X-Amz-Signature|AWS4-HMAC-SHA256|"authorization"/i);
  });
});

/** Requests of every kind, good and bad, all of them with something that must not be told. */
async function exercise(
  s3: S3Client,
  note: (name: string, answer: { readonly headers: Readonly<Record<string, string>> }) => void,
): Promise<void> {
  await s3.createBucket('bucket');
  note('put', await s3.put('bucket', 'k', plaintext, { 'x-amz-meta-private': plaintext }));
  note('get', await s3.get('bucket', 'k'));
  note('head', await s3.head('bucket', 'k'));
  note('range', await s3.get('bucket', 'k', { range: 'bytes=0-20' }));
  note('no such key', await s3.get('bucket', 'nothing'));
  note('wrong md5', await s3.put('bucket', 'k', plaintext, { 'content-md5': md5Of(Buffer.from('x')) }));
  const credentials = { ...rootCredentials, secretAccessKey: `${plaintext}-as-a-secret` };
  note('wrong signature', await s3.send({ method: 'GET', bucket: 'bucket', key: 'k', credentials }));
  note('unknown', await s3.send({ method: 'GET', bucket: 'bucket', key: 'k', query: { [plaintext]: plaintext } }));
  const target = await s3.presign({ method: 'GET', bucket: 'bucket', key: 'k' });
  note('presigned', await s3.sendRaw({ method: 'GET', target }));
  const expired = await s3.presign({ method: 'GET', bucket: 'bucket', key: 'k', at: new Date(Date.now() - 7_200_000) });
  note('expired', await s3.sendRaw({ method: 'GET', target: expired }));
  const body = Buffer.from(plaintext);
  const trailer = { name: 'x-amz-checksum-crc32', value: checksumOf('crc32', body) };
  const streaming = { bucket: 'bucket', key: 'streamed', chunks: [body], isSigned: true, trailer };
  note('streamed', await streamingPut(s3, streaming));
  note('bad chunk', await streamingPut(s3, { ...streaming, tamper: (_, text) => text.replaceAll(/[0-9a-f]/g, '0') }));
  const upload = await createUpload(s3, 'bucket', 'uploaded', { 'x-amz-meta-private': plaintext });
  const part = await uploadPart(s3, upload, 1, plaintext);
  note('completed', await completeUpload(s3, upload, [part]));
  note('listed', await s3.send({ method: 'GET', bucket: 'bucket', query: { 'list-type': '2' } }));
  note('deleted', await s3.delete('bucket', 'k'));
  const malformed = `<Delete>${plaintext}`;
  note('malformed', await s3.send({ method: 'POST', bucket: 'bucket', query: { delete: '' }, body: malformed }));
  const authorization = `AWS4-HMAC-SHA256 ${plaintext}`;
  note('bad header', await s3.sendRaw({ method: 'GET', target: '/bucket/k', headers: { authorization } }));
  const basic = { authorization: `Basic ${Buffer.from(`user:${plaintext}`).toString('base64')}` };
  note('basic', await s3.sendRaw({ method: 'GET', target: `/bucket/k?token=${plaintext}`, headers: basic }));
}
