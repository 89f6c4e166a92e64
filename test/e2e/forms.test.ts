import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

import { seededBytes } from './support/bytes.ts';
import { checksumOf } from './support/checksums.ts';
import { rootCredentials } from './support/gateway.ts';
import { RawConnection, requestHead } from './support/raw-connection.ts';
import type { S3Response } from './support/response.ts';
import { amzDate, hmac, signingKey } from './support/signing.ts';
import { suiteWithGateway, type Suite } from './support/suite.ts';
import { textOf } from './support/xml.ts';

const boundary = '----formOfTheTests';

interface Upload {
  readonly fields?: Readonly<Record<string, string>>;
  /** Beside those of the signature and of each field. */
  readonly conditions?: readonly unknown[];
  readonly file?: Uint8Array;
  readonly fileName?: string;
  /** What stands behind the file. */
  readonly behind?: Readonly<Record<string, string>>;
  readonly expiresMs?: number;
  readonly breakSignature?: boolean;
}

/** A form as a browser writes it, signed as the S3 API reference describes it. */
function encode(upload: Upload): Buffer {
  const now = new Date();
  const { fields = {}, conditions = [] } = upload;
  const signed = {
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${rootCredentials.accessKeyId}/${amzDate(now).slice(0, 8)}/us-east-1/s3/aws4_request`,
    'x-amz-date': amzDate(now),
    ...fields,
  };
  const named = new Set(conditions.flatMap((condition) => (Array.isArray(condition) ? [condition[1]] : [])));
  const equal = Object.entries(signed).filter(([name]) => !named.has(`$${name}`));
  const policy = Buffer.from(
    JSON.stringify({
      expiration: new Date(now.getTime() + (upload.expiresMs ?? 60_000)).toISOString(),
      conditions: [...equal.map(([name, value]) => ({ [name]: value })), ...conditions],
    }),
  ).toString('base64');
  const key = signingKey({ credentials: rootCredentials, at: now });
  const signature = upload.breakSignature === true ? '0'.repeat(64) : hmac(key, policy).toString('hex');
  const before = Object.entries({ ...signed, policy, 'x-amz-signature': signature });
  const fileHead = `Content-Disposition: form-data; name="file"; filename="${upload.fileName ?? 'a.bin'}"\r\nContent-Type: a/b`;
  return Buffer.concat([
    Buffer.from(before.map(([name, value]) => field(name, value)).join('')),
    Buffer.from(`--${boundary}\r\n${fileHead}\r\n\r\n`),
    upload.file ?? Buffer.from('content'),
    Buffer.from('\r\n'),
    Buffer.from(
      Object.entries(upload.behind ?? {})
        .map(([name, value]) => field(name, value))
        .join(''),
    ),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
}

function field(name: string, value: string): string {
  return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
}

function post({ s3 }: Suite, body: Buffer, bucket = 'forms'): Promise<S3Response> {
  const headers = {
    'content-type': `multipart/form-data; boundary=${boundary}`,
    'content-length': String(body.length),
  };
  return s3.sendRaw({ method: 'POST', target: `/${bucket}`, headers, body });
}

/** Waits as long as anything takes; whether it came about is for the test to say. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 30_000; !(await isSo()) && Date.now() < deadline;) await sleep(20);
}

describe('form uploads', () => {
  const suite = suiteWithGateway(['forms']);

  // Around the length from which a form's file is stored in two parts.
  for (const length of [0, 1, 65_536, 5 * 1024 ** 2, 5 * 1024 ** 2 + 65_536, 12 * 1024 ** 2 + 17]) {
    it(`store a file of ${length} bytes with a submit button behind it`, async () => {
      const file = seededBytes(`form ${length}`, length);
      const fields = {
        key: `up/\${filename}`,
        'Content-Type': 'text/x',
        'x-amz-meta-name': 'ü',
        success_action_status: '201',
        tagging: '<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>',
      };
      const answer = await post(
        suite,
        encode({
          fields,
          conditions: [
            ['starts-with', '$key', 'up/'],
            ['content-length-range', 0, 20_000_000],
          ],
          file,
          fileName: `C:\\\\files\\\\${length}.bin`,
          behind: { submit: 'Upload' },
        }),
      );
      assert.equal(answer.outcome, '201', answer.text);
      const key = `up/${length}.bin`;
      assert.deepEqual(
        ['Bucket', 'Key', 'ETag'].map((name) => textOf(answer.xml, name)),
        ['forms', key, answer.etag],
      );
      const stored = await suite.s3.get('forms', key);
      assert.equal(stored.status, 200);
      assert.ok(stored.body.equals(file));
      assert.equal(stored.etag, answer.etag);
      assert.deepEqual(
        ['content-type', 'x-amz-meta-name', 'x-amz-tagging-count'].map((name) => stored.headers[name]),
        ['text/x', 'ü', '1'],
      );
    });
  }

  it('answer as the form asks', async () => {
    const plain = await post(suite, encode({ fields: { key: 'plain' } }));
    assert.deepEqual([plain.status, plain.body.length], [204, 0]);
    assert.match(plain.headers['location'] ?? '', /\/forms\/plain$/);
    const fields = { key: 'to', success_action_redirect: 'https://example.org/done?x=1' };
    const redirect = await post(suite, encode({ fields }));
    assert.equal(redirect.status, 303);
    const location = new URL(redirect.headers['location'] ?? '');
    assert.deepEqual(Object.fromEntries(location.searchParams), {
      x: '1',
      bucket: 'forms',
      key: 'to',
      etag: redirect.etag,
    });
    const script = { key: 'script', success_action_redirect: 'javascript:alert(1)' };
    assert.equal((await post(suite, encode({ fields: script }))).status, 204);
  });

  const crc = 'x-amz-checksum-crc32';

  it('are answered with the checksum that is kept', async () => {
    const file = seededBytes('summed form', 5000);
    const value = checksumOf('crc32', file);
    const { headers } = await post(suite, encode({ fields: { key: 'summed', [crc]: value }, file }));
    assert.deepEqual([headers[crc], headers['x-amz-checksum-type']], [value, 'FULL_OBJECT']);
    const head = await suite.s3.send({
      method: 'HEAD',
      bucket: 'forms',
      key: 'summed',
      headers: { 'x-amz-checksum-mode': 'ENABLED' },
    });
    assert.equal(head.headers[crc], value);
  });

  const refused: [string, Upload, string][] = [
    ['another signature', { fields: { key: 'no' }, breakSignature: true }, '403 SignatureDoesNotMatch'],
    ['an expired policy', { fields: { key: 'no' }, expiresMs: -1000 }, '403 AccessDenied'],
    [
      'a key outside of the policy',
      { fields: { key: 'no' }, conditions: [['starts-with', '$key', 'user/']] },
      '403 AccessDenied',
    ],
    [
      'a file that is too long',
      { fields: { key: 'no' }, conditions: [['content-length-range', 0, 5]] },
      '400 EntityTooLarge',
    ],
    [
      'a file that is too short',
      { fields: { key: 'no' }, conditions: [['content-length-range', 50, 500]] },
      '400 EntityTooSmall',
    ],
    [
      'a large file that is too long',
      {
        fields: { key: 'no' },
        conditions: [['content-length-range', 0, 6_000_000]],
        file: seededBytes('too long', 7_000_000),
      },
      '400 EntityTooLarge',
    ],
    [
      'a large file with another checksum',
      { fields: { key: 'no', [crc]: 'AAAAAA==' }, file: seededBytes('wrong crc', 7_000_000) },
      '400 BadDigest',
    ],
    ['a file with another checksum', { fields: { key: 'no', [crc]: 'AAAAAA==' } }, '400 BadDigest'],
    ['a reserved key', { fields: { key: '.s3eg/no' } }, '403 AccessDenied'],
    ['reserved metadata', { fields: { key: 'no', 'x-amz-meta-s3eg': 'x' } }, '400 InvalidArgument'],
    [
      'too many tags',
      {
        fields: {
          key: 'no',
          tagging: `<Tagging><TagSet>${'<Tag><Key>k</Key><Value>v</Value></Tag>'.repeat(2)}</TagSet></Tagging>`,
        },
      },
      '400 InvalidTag',
    ],
    ['no key', {}, '400 InvalidArgument'],
    ['no key where the policy wants one', { conditions: [{ key: 'no' }] }, '400 InvalidArgument'],
    [
      'too much behind a large file',
      {
        fields: { key: 'no' },
        file: seededBytes('much behind', 6_000_000),
        behind: Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`f${index}`, 'x'.repeat(15_000)])),
      },
      '400 MalformedPOSTRequest',
    ],
  ];
  for (const [what, upload, outcome] of refused) {
    it(`are refused for ${what}, and store nothing`, async () => {
      const before = await suite.gateway.storedFiles();
      assert.equal((await post(suite, encode(upload))).outcome, outcome);
      assert.equal((await suite.s3.head('forms', 'no')).status, 404);
      assert.deepEqual(await suite.gateway.storedFiles(), before);
      const uploads = await suite.s3.send({ method: 'GET', bucket: 'forms', query: { uploads: '' } });
      assert.doesNotMatch(uploads.text, /<Upload>/);
    });
  }

  it('leave nothing behind when the client goes away in the middle of a large one', async () => {
    // What the first object brings with it is there.
    await post(suite, encode({ fields: { key: 'first' } }));
    const before = await suite.gateway.storedFiles();
    const body = encode({ fields: { key: 'no' }, file: seededBytes('left', 7_000_000) });
    const headers = {
      host: suite.s3.host,
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(body.length),
    };
    const hasUpload = async (): Promise<boolean> =>
      (await suite.s3.send({ method: 'GET', bucket: 'forms', query: { uploads: '' } })).text.includes('<Upload>');
    using connection = await RawConnection.open(suite.gateway.s3);
    connection.write(requestHead('POST', '/forms', headers));
    connection.write(body.subarray(0, 6_500_000));
    await until(hasUpload);
    assert.ok(await hasUpload(), 'no upload was begun');
    connection.socket.resetAndDestroy();
    await until(async () => !(await hasUpload()) && isDeepStrictEqual(await suite.gateway.storedFiles(), before));
    assert.ok(!(await hasUpload()), 'the upload is still open');
    assert.deepEqual(await suite.gateway.storedFiles(), before);
  });

  it('need a bucket, a file, and a form', async () => {
    assert.equal((await post(suite, encode({ fields: { key: 'k' } }), 'nowhere')).outcome, '404 NoSuchBucket');
    const headers = { 'content-type': 'text/plain', 'content-length': '4' };
    const noForm = await suite.s3.sendRaw({ method: 'POST', target: '/forms', headers, body: 'text' });
    assert.equal(noForm.outcome, '412 PreconditionFailed');
    assert.match(textOf(noForm.xml, 'Condition') ?? '', /enclosure-type multipart\/form-data/);
    const cut = encode({ fields: { key: 'k' } }).subarray(0, 300);
    assert.equal((await post(suite, cut)).outcome, '400 MalformedPOSTRequest');
  });
});

describe('form uploads under etag: md5', () => {
  const suite = suiteWithGateway(['forms'], { config: { policies: [{ name: 'md5', encryption: { etag: 'md5' } }] } });

  for (const length of [0, 65_536, 6 * 1024 ** 2]) {
    it(`answer the MD5 of a file of ${length} bytes`, async () => {
      const file = seededBytes(`md5 form ${length}`, length);
      const fields = { key: `of ${length}`, success_action_status: '201' };
      const answer = await post(suite, encode({ fields, conditions: [['starts-with', '$key', '']], file }));
      assert.equal(answer.status, 201, answer.text);
      const etag = `"${createHash('md5').update(file).digest('hex')}"`;
      assert.equal(textOf(answer.xml, 'ETag'), etag);
      const got = await suite.s3.get('forms', `of ${length}`, { 'if-match': etag });
      assert.deepEqual([got.status, got.etag, got.body.equals(file)], [200, etag, true]);
    });
  }
});
