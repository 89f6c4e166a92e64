import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { suiteWithGateway } from './support/suite.ts';
import { all, textOf } from './support/xml.ts';

const tagged = (tags: string): string =>
  '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
  `<Tags>${tags}</Tags></CreateBucketConfiguration>`;

describe('buckets', () => {
  const suite = suiteWithGateway();

  it('are listed up to 10 000 at a time, as S3 does', async () => {
    const { s3 } = suite;
    const page = async (size: string) => (await s3.send({ method: 'GET', query: { 'max-buckets': size } })).outcome;
    assert.deepEqual(
      [await page('0'), await page('1'), await page('10000'), await page('10001')],
      ['400 InvalidArgument', '200', '200', '400 InvalidArgument'],
    );
  });

  it('are created, listed, looked at and deleted', async () => {
    const { s3 } = suite;
    const created = await s3.createBucket('first');
    assert.deepEqual([created.outcome, created.headers['location'], created.body.length], ['200', '/first', 0]);
    await s3.createBucket('second');
    const { xml } = await s3.send({ method: 'GET' });
    assert.equal(xml.name, 'ListAllMyBucketsResult');
    const buckets = xml.children.find(({ name }) => name === 'Buckets');
    assert.deepEqual(
      buckets?.children.map((bucket) => textOf(bucket, 'Name')),
      ['first', 'second'],
    );
    for (const bucket of buckets?.children ?? []) {
      const age = Date.now() - Date.parse(textOf(bucket, 'CreationDate') ?? '');
      assert.ok(age >= 0 && age < 300_000, `created ${age} ms ago`);
    }
    const head = await s3.send({ method: 'HEAD', bucket: 'first' });
    assert.deepEqual([head.status, head.headers['x-amz-bucket-region']], [200, 'us-east-1']);
    const deleted = await s3.send({ method: 'DELETE', bucket: 'second' });
    assert.deepEqual([deleted.status, deleted.body.length], [204, 0]);
    assert.equal((await s3.send({ method: 'HEAD', bucket: 'second' })).outcome, '404');
  });

  it('have a location', async () => {
    const { s3 } = suite;
    await s3.createBucket('located');
    const plain = await s3.send({ method: 'GET', bucket: 'located', query: { location: '' } });
    assert.deepEqual([plain.status, plain.xml.name, plain.xml.text], [200, 'LocationConstraint', '']);
    const body =
      '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
      '<LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>';
    assert.equal((await s3.send({ method: 'PUT', bucket: 'elsewhere', body })).outcome, '200');
    const { xml } = await s3.send({ method: 'GET', bucket: 'elsewhere', query: { location: '' } });
    assert.equal(xml.text, 'eu-central-1');
    const head = await s3.send({ method: 'HEAD', bucket: 'elsewhere' });
    assert.equal(head.headers['x-amz-bucket-region'], 'eu-central-1');
  });

  it('can be created with tags', async () => {
    const { s3 } = suite;
    const body = tagged('<Tag><Key>team</Key><Value>blue</Value></Tag>');
    assert.equal((await s3.send({ method: 'PUT', bucket: 'tagged', body })).outcome, '200');
    const { text } = await s3.send({ method: 'GET', bucket: 'tagged', query: { tagging: '' } });
    assert.match(text, /<TagSet><Tag><Key>team<\/Key><Value>blue<\/Value><\/Tag><\/TagSet>/);
    const wrong = tagged('<Tag><Key>aws:reserved</Key><Value>x</Value></Tag>');
    assert.equal((await s3.send({ method: 'PUT', bucket: 'not-tagged', body: wrong })).outcome, '400 InvalidTag');
    assert.equal((await s3.send({ method: 'HEAD', bucket: 'not-tagged' })).outcome, '404');
  });

  it('that exist are not created again, and those that do not are no buckets', async () => {
    const { s3 } = suite;
    await s3.createBucket('mine');
    assert.equal((await s3.createBucket('mine')).outcome, '409 BucketAlreadyOwnedByYou');
    for (const request of [
      { method: 'DELETE', bucket: 'nowhere' },
      { method: 'GET', bucket: 'nowhere' },
      { method: 'GET', bucket: 'nowhere', query: { location: '' } },
      { method: 'GET', bucket: 'nowhere', query: { uploads: '' } },
      { method: 'GET', bucket: 'nowhere', key: 'k' },
      { method: 'PUT', bucket: 'nowhere', key: 'k', body: 'x' },
      { method: 'DELETE', bucket: 'nowhere', key: 'k' },
      { method: 'POST', bucket: 'nowhere', key: 'k', query: { uploads: '' } },
    ]) {
      const answer = await s3.send(request);
      assert.equal(answer.outcome, '404 NoSuchBucket', JSON.stringify(request));
      assert.equal(textOf(answer.xml, 'RequestId'), answer.headers['x-amz-request-id']);
    }
  });

  it('need a name that S3 allows', async () => {
    const { s3 } = suite;
    for (const bucket of ['Upper', 'ab', 'under_score', '-dash', 'dash-', 'two..dots', '10.0.0.1', 'a'.repeat(64)]) {
      assert.equal((await s3.createBucket(bucket)).outcome, '400 InvalidBucketName', bucket);
    }
    for (const bucket of ['abc', '1-2', 'with.dots', 'a'.repeat(63)]) {
      assert.equal((await s3.createBucket(bucket)).outcome, '200', bucket);
    }
  });

  it('may have the name of an address of the admin side', async () => {
    const { s3 } = suite;
    for (const bucket of ['metrics', 'live', 'ready', 'api']) {
      assert.equal((await s3.createBucket(bucket)).outcome, '200');
      assert.equal((await s3.put(bucket, 'k', 'content')).outcome, '200');
      assert.equal((await s3.get(bucket, 'k')).text, 'content');
      const listed = await s3.send({ method: 'GET', bucket });
      assert.equal(textOf(all(listed.xml, 'Contents')[0] ?? listed.xml, 'Key'), 'k');
      // Without a signature it is an S3 request like any other.
      assert.equal((await s3.sendRaw({ method: 'GET', target: `/${bucket}` })).outcome, '403 AccessDenied');
    }
  });

  it('with objects are not deleted, and those with nothing but the gateway’s own keys are', async () => {
    const { s3 } = suite;
    await s3.createBucket('used');
    await s3.put('used', 'k', 'content');
    assert.equal((await s3.send({ method: 'DELETE', bucket: 'used' })).outcome, '409 BucketNotEmpty');
    assert.equal((await s3.get('used', 'k')).text, 'content');
    await s3.delete('used', 'k');
    // An open upload has a record under the reserved prefix.
    const upload = await s3.send({ method: 'POST', bucket: 'used', key: 'k', query: { uploads: '' } });
    assert.equal(upload.outcome, '200');
    assert.equal((await s3.send({ method: 'DELETE', bucket: 'used' })).outcome, '204');
    assert.equal((await s3.send({ method: 'HEAD', bucket: 'used' })).outcome, '404');
  });

  it('are listed page by page', async () => {
    const { s3 } = suite;
    const names = Array.from({ length: 7 }, (_, index) => `paged-${index}`);
    for (const name of names) await s3.createBucket(name);
    const found: string[] = [];
    let token: string | undefined;
    do {
      const query = {
        prefix: 'paged-',
        'max-buckets': '3',
        ...(token === undefined ? {} : { 'continuation-token': token }),
      };
      const { xml } = await s3.send({ method: 'GET', query });
      const page = all(xml, 'Buckets').flatMap((buckets) => all(buckets, 'Bucket'));
      assert.ok(page.length <= 3);
      found.push(...page.map((bucket) => textOf(bucket, 'Name') ?? ''));
      token = textOf(xml, 'ContinuationToken');
    } while (token !== undefined);
    assert.deepEqual(found, names);
  });
});
