import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { completeUpload, createUpload, uploadPart } from './support/multipart.ts';
import { suiteWithGateway } from './support/suite.ts';

const dayMs = 86_400_000;
const other = `"${'0'.repeat(32)}-0"`;

describe('conditions', () => {
  const suite = suiteWithGateway(['bucket']);

  it('on reads follow RFC 9110 section 13.2.2', async () => {
    const { s3 } = suite;
    const { etag } = await s3.put('bucket', 'read', 'content');
    const lastModified = (await s3.head('bucket', 'read')).headers['last-modified'] ?? '';
    const time = Date.parse(lastModified);
    const before = new Date(time - dayMs).toUTCString();
    const after = new Date(time + dayMs).toUTCString();
    const rows: readonly (readonly [conditions: Readonly<Record<string, string>>, status: 200 | 304 | 412])[] = [
      [{ 'if-match': etag }, 200],
      [{ 'if-match': etag.replaceAll('"', '') }, 200],
      [{ 'if-match': '*' }, 200],
      [{ 'if-match': `${other}, ${etag}` }, 200],
      [{ 'if-match': other }, 412],
      [{ 'if-match': `W/${etag}` }, 412],
      [{ 'if-match': etag.replace('-0', '') }, 412],
      [{ 'if-none-match': etag }, 304],
      [{ 'if-none-match': `W/${etag}` }, 304],
      [{ 'if-none-match': '*' }, 304],
      [{ 'if-none-match': `${other}, ${etag}` }, 304],
      [{ 'if-none-match': other }, 200],
      [{ 'if-none-match': etag.replace('-0', '') }, 200],
      [{ 'if-modified-since': before }, 200],
      [{ 'if-modified-since': lastModified }, 304],
      [{ 'if-modified-since': after }, 304],
      [{ 'if-unmodified-since': before }, 412],
      [{ 'if-unmodified-since': lastModified }, 200],
      [{ 'if-unmodified-since': after }, 200],
      // The ETag decides where both are given.
      [{ 'if-match': etag, 'if-unmodified-since': before }, 200],
      [{ 'if-none-match': other, 'if-modified-since': after }, 200],
      [{ 'if-none-match': etag, 'if-modified-since': before }, 304],
      [{ 'if-match': other, 'if-none-match': other }, 412],
      [{ 'if-match': etag, 'if-none-match': etag }, 304],
      // What is no date is no condition.
      [{ 'if-modified-since': 'yesterday' }, 200],
      [{ 'if-unmodified-since': 'yesterday' }, 200],
    ];
    for (const [conditions, status] of rows) {
      const name = JSON.stringify(conditions);
      const got = await s3.get('bucket', 'read', conditions);
      assert.equal(got.outcome, status === 412 ? '412 PreconditionFailed' : String(status), name);
      if (status === 304) {
        assert.deepEqual([got.etag, got.headers['last-modified'], got.body.length], [etag, lastModified, 0], name);
      }
      const head = await s3.head('bucket', 'read', conditions);
      assert.deepEqual([head.status, head.body.length], [status, 0], `HEAD ${name}`);
    }
  });

  it('go with ranges', async () => {
    const { s3 } = suite;
    const { etag } = await s3.put('bucket', 'ranged', 'content');
    const range = 'bytes=1-2';
    const got = await s3.get('bucket', 'ranged', { range, 'if-match': etag });
    assert.deepEqual([got.status, got.text], [206, 'on']);
    assert.equal((await s3.get('bucket', 'ranged', { range, 'if-match': other })).outcome, '412 PreconditionFailed');
    assert.equal((await s3.get('bucket', 'ranged', { range, 'if-none-match': etag })).outcome, '304');
  });

  it('of a download that goes on are those of the object that it began with', async () => {
    const { s3 } = suite;
    const { etag } = await s3.put('bucket', 'resumed', 'first content');
    const lastModified = (await s3.head('bucket', 'resumed')).headers['last-modified'] ?? '';
    const range = 'bytes=6-';
    for (const [validator, isSame] of [
      [etag, true],
      [lastModified, true],
      [other, false],
      [`W/${etag}`, false],
      [etag.replace('-0', ''), false],
      [new Date(Date.parse(lastModified) - dayMs).toUTCString(), false],
      [new Date(Date.parse(lastModified) + dayMs).toUTCString(), false],
      ['no validator at all', false],
    ] as const) {
      const got = await s3.get('bucket', 'resumed', { range, 'if-range': validator });
      assert.deepEqual([got.status, got.text], isSame ? [206, 'content'] : [200, 'first content'], validator);
      const head = await s3.head('bucket', 'resumed', { range, 'if-range': validator });
      assert.deepEqual([head.status, head.headers['content-length']], isSame ? [206, '7'] : [200, '13'], validator);
    }
    await s3.put('bucket', 'resumed', 'another');
    const changed = await s3.get('bucket', 'resumed', { range, 'if-range': etag });
    assert.deepEqual([changed.status, changed.text], [200, 'another'], 'not the end of another object');
    const beyond = await s3.get('bucket', 'resumed', { range: 'bytes=500-', 'if-range': etag });
    assert.deepEqual([beyond.status, beyond.text], [200, 'another']);
  });

  it('on dates are held at whole seconds, as clients see them', async () => {
    const { s3 } = suite;
    // The object's own time must have a fraction that a careless comparison would trip over.
    while (Date.now() % 1000 < 100) await sleep(10);
    await s3.put('bucket', 'second', 'content');
    const lastModified = (await s3.head('bucket', 'second')).headers['last-modified'] ?? '';
    assert.equal((await s3.get('bucket', 'second', { 'if-unmodified-since': lastModified })).outcome, '200');
    assert.equal((await s3.get('bucket', 'second', { 'if-modified-since': lastModified })).outcome, '304');
  });

  it('on PUT keep the object that is there', async () => {
    const { s3 } = suite;
    const first = await s3.put('bucket', 'write', 'first', { 'if-none-match': '*' });
    assert.equal(first.outcome, '200');
    assert.equal(
      (await s3.put('bucket', 'write', 'second', { 'if-none-match': '*' })).outcome,
      '412 PreconditionFailed',
    );
    assert.equal((await s3.put('bucket', 'write', 'second', { 'if-match': other })).outcome, '412 PreconditionFailed');
    assert.equal((await s3.get('bucket', 'write')).text, 'first');
    const second = await s3.put('bucket', 'write', 'second', { 'if-match': first.etag });
    assert.equal(second.outcome, '200');
    assert.equal(
      (await s3.put('bucket', 'write', 'third', { 'if-match': first.etag })).outcome,
      '412 PreconditionFailed',
    );
    assert.equal((await s3.get('bucket', 'write')).text, 'second');
    assert.equal((await s3.put('bucket', 'not-there', 'x', { 'if-match': first.etag })).outcome, '404 NoSuchKey');
    assert.equal((await s3.head('bucket', 'not-there')).status, 404);
  });

  it('on PUT with dates keep the object that is there', async () => {
    const { s3 } = suite;
    await s3.put('bucket', 'dated', 'first');
    const yesterday = new Date(Date.now() - dayMs).toUTCString();
    const tomorrow = new Date(Date.now() + dayMs).toUTCString();
    const refused = await s3.put('bucket', 'dated', 'second', { 'if-unmodified-since': yesterday });
    assert.equal(refused.outcome, '412 PreconditionFailed');
    assert.equal((await s3.get('bucket', 'dated')).text, 'first');
    assert.equal((await s3.put('bucket', 'dated', 'second', { 'if-unmodified-since': tomorrow })).outcome, '200');
    // If-Modified-Since is for reads: a write does not look at it (RFC 9110 section 13.1.3).
    assert.equal((await s3.put('bucket', 'dated', 'third', { 'if-modified-since': tomorrow })).outcome, '200');
  });

  it('of many writers at once let one win', async () => {
    const { s3 } = suite;
    const names = Array.from({ length: 12 }, (_, index) => `writer ${index}`);
    const answers = await Promise.all(
      names.map(async (name) => s3.put('bucket', 'race', name, { 'if-none-match': '*' })),
    );
    const winners = names.filter((_, index) => answers[index]?.status === 200);
    assert.equal(winners.length, 1);
    for (const { status, outcome } of answers) if (status !== 200) assert.equal(outcome, '412 PreconditionFailed');
    assert.equal((await s3.get('bucket', 'race')).text, winners[0]);
  });

  it('on DELETE keep the object that is there', async () => {
    const { s3 } = suite;
    const { etag } = await s3.put('bucket', 'kept', 'content');
    assert.equal((await s3.delete('bucket', 'kept', { 'if-match': other })).outcome, '412 PreconditionFailed');
    assert.equal((await s3.get('bucket', 'kept')).text, 'content');
    assert.equal((await s3.delete('bucket', 'kept', { 'if-match': etag })).outcome, '204');
    assert.equal((await s3.head('bucket', 'kept')).status, 404);
  });

  it('on CompleteMultipartUpload keep the object that is there, and the upload', async () => {
    const { s3 } = suite;
    const { etag } = await s3.put('bucket', 'completed', 'first');
    const upload = await createUpload(s3, 'bucket', 'completed');
    const parts = [await uploadPart(s3, upload, 1, 'second')];
    for (const conditions of [{ 'if-none-match': '*' }, { 'if-match': other }]) {
      const refused = await completeUpload(s3, upload, parts, conditions);
      assert.equal(refused.outcome, '412 PreconditionFailed', JSON.stringify(conditions));
      assert.equal((await s3.get('bucket', 'completed')).text, 'first');
    }
    assert.equal((await completeUpload(s3, upload, parts, { 'if-match': etag })).outcome, '200');
    assert.equal((await s3.get('bucket', 'completed')).text, 'second');
  });
});
