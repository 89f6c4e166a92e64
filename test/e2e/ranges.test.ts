import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { runSeed, SeededRandom, seededBytes } from './support/bytes.ts';
import type { S3Response } from './support/response.ts';
import { completeUpload, createUpload, uploadPart } from './support/multipart.ts';
import { suiteWithGateway } from './support/suite.ts';

const partBytes = 5 * 1024 * 1024;

/** Objects of each layout, by key; ends of segments and parts are where mistakes would be. */
const objects = {
  single: seededBytes('single', 200_001),
  'one-segment': seededBytes('one-segment', 65_536),
  tiny: seededBytes('tiny', 1),
  multipart: seededBytes('multipart', partBytes + 1 + partBytes + 70_000),
} as const;

/** What a Range header asks for of an object, by RFC 9110 section 14.1.2: undefined where it cannot be satisfied. */
function expected(body: Buffer, range: string): { readonly bytes: Buffer; readonly first: number } | undefined {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  const first = from === '' ? Math.max(0, body.length - Number(to)) : Number(from);
  const last = from === '' || to === '' ? body.length - 1 : Math.min(Number(to), body.length - 1);
  if (first >= body.length || (from === '' && Number(to) === 0)) return undefined;
  return { bytes: body.subarray(first, last + 1), first };
}

function assertRange(answer: S3Response, body: Buffer, range: string, name: string): void {
  const part = expected(body, range);
  if (part === undefined) {
    assert.equal(answer.outcome, '416 InvalidRange', name);
    return;
  }
  const last = part.first + part.bytes.length - 1;
  assert.equal(answer.status, 206, name);
  assert.equal(answer.headers['content-range'], `bytes ${part.first}-${last}/${body.length}`, name);
  assert.equal(answer.headers['content-length'], String(part.bytes.length), name);
  assert.ok(answer.body.equals(part.bytes), `${name}: other bytes`);
}

describe('ranges', () => {
  const suite = suiteWithGateway(['bucket']);

  it('are stored first', async () => {
    const { s3 } = suite;
    const { multipart, ...singles } = objects;
    for (const [key, body] of Object.entries(singles)) assert.equal((await s3.put('bucket', key, body)).outcome, '200');
    const upload = await createUpload(s3, 'bucket', 'multipart');
    const ends = [0, partBytes + 1, 2 * partBytes + 1, multipart.length];
    const parts = [];
    for (const partNumber of [1, 2, 3]) {
      const bytes = multipart.subarray(ends[partNumber - 1], ends[partNumber]);
      parts.push(await uploadPart(s3, upload, partNumber, bytes));
    }
    assert.equal((await completeUpload(s3, upload, parts)).outcome, '200');
    assert.ok((await s3.get('bucket', 'multipart')).body.equals(multipart));
  });

  it('give the same bytes as the whole object, at every border', async () => {
    const { s3 } = suite;
    for (const [key, body] of Object.entries(objects)) {
      const borders = [0, 1, 65_535, 65_536, 65_537, partBytes, partBytes + 1, 2 * partBytes + 1, body.length - 1];
      for (const border of borders.filter((position) => position >= 0 && position < body.length)) {
        for (const range of [
          `bytes=${border}-${border}`,
          `bytes=${Math.max(0, border - 1)}-${border + 1}`,
          `bytes=${border}-${border + 65_536}`,
        ]) {
          assertRange(await s3.get('bucket', key, { range }), body, range, `${key} ${range}`);
        }
      }
    }
  });

  it('may be open, from the end, and reach beyond the end', async () => {
    const { s3 } = suite;
    for (const [key, body] of Object.entries(objects)) {
      const { length } = body;
      for (const range of [
        'bytes=0-',
        `bytes=${length - 1}-`,
        `bytes=${Math.floor(length / 2)}-`,
        `bytes=${Math.floor(length / 2)}-${length + 1_000_000}`,
        'bytes=-1',
        `bytes=-${Math.min(70_000, length)}`,
        `bytes=-${length}`,
        `bytes=-${length + 1}`,
        `bytes=0-99999999999999999999`,
      ]) {
        assertRange(await s3.get('bucket', key, { range }), body, range, `${key} ${range}`);
      }
    }
  });

  it('beyond the end cannot be satisfied', async () => {
    const { s3 } = suite;
    for (const [key, body] of Object.entries(objects)) {
      const { length } = body;
      for (const range of [
        `bytes=${length}-`,
        `bytes=${length}-${length}`,
        `bytes=${length + 1}-${length + 9}`,
        `bytes=${length + 500}-`,
        'bytes=99999999999-',
        'bytes=99999999999999999999-',
        'bytes=-0',
      ]) {
        assertRange(await s3.get('bucket', key, { range }), body, range, `${key} ${range}`);
        const head = await s3.head('bucket', key, { range });
        assert.deepEqual([head.status, head.body.length], [416, 0], `HEAD ${key} ${range}`);
      }
    }
  });

  it('of an empty object cannot be satisfied', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'empty', '');
    for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=-1', 'bytes=5-9']) {
      assert.equal((await s3.get('bucket', 'empty', { range })).outcome, '416 InvalidRange', range);
    }
    const whole = await s3.get('bucket', 'empty');
    assert.deepEqual([whole.status, whole.headers['content-length']], [200, '0']);
  });

  it('of an empty multipart object cannot be satisfied either', async () => {
    const { s3 } = suite;
    const upload = await createUpload(s3, 'bucket', 'empty-multipart');
    const parts = [await uploadPart(s3, upload, 1, '')];
    assert.equal((await completeUpload(s3, upload, parts)).outcome, '200');
    const whole = await s3.get('bucket', 'empty-multipart');
    assert.deepEqual([whole.status, whole.headers['content-length']], [200, '0']);
    for (const range of ['bytes=0-', 'bytes=-1']) {
      assert.equal((await s3.get('bucket', 'empty-multipart', { range })).outcome, '416 InvalidRange', range);
    }
  });

  it('that S3 passes over give the whole object', async () => {
    const { s3 } = suite;
    for (const range of ['bytes=0-1,3-4', 'bytes=5-2', 'items=0-1', 'bytes=', 'bytes=-', 'bytes=a-b', '0-1']) {
      const got = await s3.get('bucket', 'one-segment', { range });
      assert.equal(got.status, 200, range);
      assert.ok(got.body.equals(objects['one-segment']), range);
      assert.equal(got.headers['content-range'], undefined);
    }
  });

  it('are answered alike by HEAD', async () => {
    const { s3 } = suite;
    const head = await s3.head('bucket', 'single', { range: 'bytes=100-199' });
    assert.equal(head.status, 206);
    assert.equal(head.headers['content-length'], '100');
    assert.equal(head.headers['content-range'], `bytes 100-199/${objects.single.length}`);
  });

  it('at random give what a slice gives', async () => {
    const { s3 } = suite;
    const random = new SeededRandom(`ranges ${runSeed}`);
    for (let round = 0; round < 60; round++) {
      const key = random.pick(['single', 'multipart'] as const);
      const body = objects[key];
      const first = random.below(body.length);
      const range = `bytes=${first}-${first + random.below(random.pick([10, 70_000, 2_000_000]))}`;
      assertRange(await s3.get('bucket', key, { range }), body, range, `${key} ${range}, E2E_SEED=${runSeed}`);
    }
  });

  it('of an object that was replaced by one of another layout are of the new one', async () => {
    const { s3 } = suite;
    const range = 'bytes=65000-66000';
    await s3.put('bucket', 'changing', objects.single);
    await s3.get('bucket', 'changing', { range });
    const upload = await createUpload(s3, 'bucket', 'changing');
    const first = objects.multipart.subarray(0, partBytes);
    const parts = [await uploadPart(s3, upload, 1, first), await uploadPart(s3, upload, 2, 'the end')];
    await completeUpload(s3, upload, parts);
    const whole = Buffer.concat([first, Buffer.from('the end')]);
    for (let round = 0; round < 2; round++) {
      assertRange(await s3.get('bucket', 'changing', { range }), whole, range, 'multipart over single');
    }
    assertRange(await s3.get('bucket', 'changing', { range: 'bytes=-9' }), whole, 'bytes=-9', 'across the parts');
    await s3.put('bucket', 'changing', objects.single);
    assertRange(await s3.get('bucket', 'changing', { range }), objects.single, range, 'single over multipart');
    await s3.put('bucket', 'changing', 'short');
    const last = 'bytes=-3';
    assertRange(await s3.get('bucket', 'changing', { range: last }), Buffer.from('short'), last, 'a shorter one');
    assert.equal((await s3.get('bucket', 'changing', { range })).outcome, '416 InvalidRange');
  });
});
