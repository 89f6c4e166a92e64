import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { seededBytes } from './support/bytes.ts';
import { checksumNames, checksumOf } from './support/checksums.ts';
import { CopySuite, oneWay } from './support/copies.ts';
import { textOf } from './support/xml.ts';

/** A condition on the source of a copy. */
const name = (condition: string): string => `x-amz-copy-source-if-${condition}`;

describe('CopyObject', () => {
  const suite = new CopySuite();

  it('refuses a copy of an object onto itself that changes nothing', async () => {
    for (const bucket of ['alpha', 'off']) {
      await suite.s3.put(bucket, 'self', 'content');
      assert.equal((await suite.copy(`${bucket}/self`, bucket, 'self')).outcome, '400 InvalidRequest');
      const changed = await suite.copy(`${bucket}/self`, bucket, 'self', {
        'x-amz-metadata-directive': 'REPLACE',
        'content-type': 'text/changed',
      });
      const { headers } = await suite.expectCopy(changed, bucket, 'self', Buffer.from('content'));
      assert.equal(headers['content-type'], 'text/changed');
      const stored = await suite.copy(`${bucket}/self`, bucket, 'self', { 'x-amz-storage-class': 'STANDARD' });
      await suite.expectCopy(stored, bucket, 'self', Buffer.from('content'));
    }
  });

  it('holds the source against its conditions, in the ETags that clients see', async () => {
    for (const from of ['alpha', 'off']) {
      const { etag } = await suite.s3.put(from, 'conditional', 'content');
      const modified = (await suite.s3.head(from, 'conditional')).headers['last-modified'] ?? '';
      const earlier = new Date(Date.parse(modified) - 60_000).toUTCString();
      const rows: readonly (readonly [Record<string, string>, string])[] = [
        [{ [name('match')]: etag }, '200'],
        [{ [name('match')]: '"00000000000000000000000000000000"' }, '412 PreconditionFailed'],
        [{ [name('none-match')]: etag }, '412 PreconditionFailed'],
        [{ [name('none-match')]: '"other"' }, '200'],
        [{ [name('modified-since')]: earlier }, '200'],
        [{ [name('modified-since')]: modified }, '412 PreconditionFailed'],
        [{ [name('unmodified-since')]: modified }, '200'],
        [{ [name('unmodified-since')]: earlier }, '412 PreconditionFailed'],
        [{ [name('match')]: etag, [name('unmodified-since')]: earlier }, '200'],
        [{ [name('none-match')]: etag, [name('modified-since')]: earlier }, '412 PreconditionFailed'],
      ];
      for (const to of ['alpha', 'off', 'far']) {
        for (const [headers, outcome] of rows) {
          const answer = await suite.copy(`${from}/conditional`, to, 'conditional-copy', headers);
          assert.equal(answer.outcome, outcome, `${from} to ${to}: ${JSON.stringify(headers)}`);
        }
      }
    }
  });

  it('holds the destination against its conditions', async () => {
    await suite.s3.put('alpha', 'k', 'content');
    for (const to of ['beta', 'far', 'off']) {
      const first = await suite.copy('alpha/k', to, 'once', { 'if-none-match': '*' });
      assert.equal(first.outcome, '200');
      assert.equal(
        (await suite.copy('alpha/k', to, 'once', { 'if-none-match': '*' })).outcome,
        '412 PreconditionFailed',
      );
      const { etag } = await suite.s3.head(to, 'once');
      assert.equal(
        (await suite.copy('alpha/k', to, 'once', { 'if-match': '"other"' })).outcome,
        '412 PreconditionFailed',
      );
      assert.equal((await suite.copy('alpha/k', to, 'once', { 'if-match': etag })).outcome, '200');
    }
  });

  it('names its source in every way that S3 reads', async () => {
    for (const key of [
      'a b',
      'a+b',
      'a%2Fb',
      'x//y',
      '../x',
      'q?versionId=x',
      'ä/日本/😀',
      'a\u0001b',
      'k'.repeat(1024),
    ]) {
      await suite.s3.put('alpha', key, key);
      const encoded = encodeURIComponent(key);
      for (const source of [
        `alpha/${encoded}`,
        `/alpha/${encoded.replaceAll('%2F', '/')}`,
        `%2Falpha%2F${encoded}`,
        `alpha/${encoded}?versionId=null`,
      ]) {
        await suite.expectCopy(await suite.copy(source, 'beta', 'named'), 'beta', 'named', Buffer.from(key));
      }
      await suite.expectCopy(await suite.copy(`alpha/${encoded}`, 'beta', key), 'beta', key, Buffer.from(key));
    }
  });

  it('answers as S3 for what is not there or not well formed', async () => {
    await suite.s3.put('alpha', 'k', 'content');
    const rows: readonly (readonly [string, Record<string, string>, string])[] = [
      ['alpha/absent', {}, '404 NoSuchKey'],
      ['alpha-nowhere/k', {}, '404 NoSuchBucket'],
      ['alpha/k?versionId=absent', {}, '404 NoSuchVersion'],
      ['alpha', {}, '400 InvalidArgument'],
      ['alpha/', {}, '400 InvalidArgument'],
      ['alpha/%zz', {}, '400 InvalidArgument'],
      ['alpha/k', { 'x-amz-metadata-directive': 'MERGE' }, '400 InvalidArgument'],
      ['alpha/k', { 'x-amz-tagging-directive': 'MERGE' }, '400 InvalidArgument'],
      ['alpha/k', { 'x-amz-checksum-algorithm': 'ADLER' }, '400 InvalidRequest'],
      ['alpha/k', { 'x-amz-meta-s3eg': 'x', 'x-amz-metadata-directive': 'REPLACE' }, '400 InvalidArgument'],
      [
        'alpha/k',
        { 'x-amz-meta-long': 'v'.repeat(1300), 'x-amz-metadata-directive': 'REPLACE' },
        '400 MetadataTooLarge',
      ],
      ['alpha/k', { 'x-amz-copy-source-server-side-encryption-customer-algorithm': 'AES256' }, '501 NotImplemented'],
    ];
    for (const [source, headers, outcome] of rows) {
      const answer = await suite.copy(source, 'beta', 'refused', headers);
      assert.equal(answer.outcome, outcome, `${source} ${JSON.stringify(headers).slice(0, 80)}`);
    }
    assert.equal((await suite.copy('alpha/k', 'alpha-nowhere', 'k')).outcome, '404 NoSuchBucket');
    assert.equal((await suite.s3.head('beta', 'refused')).status, 404);
  });

  it('keeps metadata that fits beside an envelope, and refuses more before anything is stored', async () => {
    const long = { 'x-amz-meta-long': 'v'.repeat(1500) };
    // Where nothing is encrypted there is no envelope, and S3's own 2 KiB hold.
    assert.equal((await suite.s3.put('off', 'described', 'content', long)).outcome, '200');
    assert.equal((await suite.s3.put('off', 'over', 'x', { 'x-amz-meta-a': 'v'.repeat(2048) })).status, 400);
    const kept = await suite.copy('off/described', 'off', 'described-too');
    assert.equal(kept.outcome, '200');
    for (const to of ['alpha', 'far']) {
      const refused = await suite.copy('off/described', to, 'described');
      assert.equal(refused.outcome, '400 MetadataTooLarge');
      assert.deepEqual([textOf(refused.xml, 'Size'), textOf(refused.xml, 'MaxSizeAllowed')], ['1504', '1152']);
      assert.equal((await suite.s3.head(to, 'described')).status, 404);
      const described = { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-short': 'v' };
      assert.equal((await suite.copy('off/described', to, 'described', described)).outcome, '200');
      assert.equal((await suite.s3.head(to, 'described')).headers['x-amz-meta-short'], 'v');
    }
  });

  it('needs the right to read the source and to write the destination', async () => {
    await suite.s3.put('alpha', 'k', 'content');
    await suite.s3.put('beta', 'k', 'content');
    const send = async (source: string, bucket: string): Promise<string> => {
      const headers = { 'x-amz-copy-source': source };
      return (await suite.s3.send({ method: 'PUT', bucket, key: 'copied', headers, credentials: oneWay })).outcome;
    };
    assert.equal(await send('alpha/k', 'beta'), '200');
    assert.equal(await send('beta/k', 'beta'), '403 AccessDenied');
    assert.equal(await send('alpha/k', 'alpha'), '403 AccessDenied');
    assert.equal(await send('nowhere/k', 'beta'), '403 AccessDenied');
    assert.equal((await suite.copy('alpha/.s3eg/x', 'alpha', 'k')).outcome, '403 AccessDenied');
    assert.equal((await suite.copy('alpha/k', 'alpha', '.s3eg/x')).outcome, '403 AccessDenied');
  });

  it('keeps to the limits of the destination', async () => {
    await suite.s3.put('alpha', 'large', seededBytes('large', 21 * 1024 ** 2));
    assert.equal((await suite.copy('alpha/large', 'beta', 'large')).outcome, '400 EntityTooLarge');
    assert.equal((await suite.copy('alpha/large', 'alpha', 'large-copy')).outcome, '200');
  });

  it('carries checksums along, and computes those that are asked for', async () => {
    const bytes = seededBytes('sums', 100_000);
    for (const name of checksumNames) {
      const header = `x-amz-checksum-${name}`;
      const value = checksumOf(name, bytes);
      await suite.s3.put('alpha', 'summed', bytes, { [header]: value });
      for (const to of ['beta', 'far']) {
        const answer = await suite.copy('alpha/summed', to, 'summed');
        assert.equal(textOf(answer.xml, `Checksum${name.toUpperCase()}`), value);
        assert.equal((await suite.expectCopy(answer, to, 'summed', bytes)).headers[header], value);
      }
      await suite.s3.put('alpha', 'unsummed', bytes);
      const asked = await suite.copy('alpha/unsummed', 'alpha', 'summed-now', {
        'x-amz-checksum-algorithm': name.toUpperCase(),
      });
      await suite.expectCopy(asked, 'alpha', 'summed-now', bytes);
      assert.equal(textOf(asked.xml, `Checksum${name.toUpperCase()}`), value);
    }
  });

  it('gives a copy the checksum that is asked for in place of those of its source', async () => {
    const bytes = seededBytes('replaced', 100_000);
    const crc32 = { 'x-amz-checksum-crc32': checksumOf('crc32', bytes) };
    const put = await suite.s3.put('alpha', 'summed', bytes, crc32);
    assert.equal(put.headers['x-amz-checksum-type'], 'FULL_OBJECT');
    for (const [to, name] of [
      ['alpha', 'sha1'],
      ['far', 'crc32c'],
      ['beta', 'crc32'],
    ] as const) {
      const asked = { 'x-amz-checksum-algorithm': name.toUpperCase() };
      const answer = await suite.copy('alpha/summed', to, 'resummed', asked);
      const { headers } = await suite.expectCopy(answer, to, 'resummed', bytes);
      const sums = Object.entries(headers).filter(([header]) => /^x-amz-checksum-(?!type)/.test(header));
      assert.deepEqual(sums, [[`x-amz-checksum-${name}`, checksumOf(name, bytes)]]);
      assert.equal(textOf(answer.xml, `Checksum${name.toUpperCase()}`), checksumOf(name, bytes));
    }
  });

  it('copies what is there now of a source that is written again and again', async () => {
    const states = ['a'.repeat(100_000), 'b'.repeat(200_000)];
    await suite.s3.put('alpha', 'busy', states[0] ?? '');
    for (let round = 0; round < 15; round++) {
      const [copied, written] = await Promise.all([
        suite.copy('alpha/busy', 'beta', 'busy-copy'),
        suite.s3.put('alpha', 'busy', states[round % 2] ?? ''),
      ]);
      assert.deepEqual([copied.outcome, written.outcome], ['200', '200']);
      assert.ok(states.includes((await suite.s3.get('beta', 'busy-copy')).text));
    }
  });
});
