import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { S3Client, type S3Request } from './support/client.ts';
import { type Credentials, Gateway, rootCredentials } from './support/gateway.ts';
import { createUpload } from './support/multipart.ts';
import { all, escapeXml, textOf } from './support/xml.ts';

const everything = { buckets: ['*'], prefixes: [''], actions: ['read', 'write', 'delete', 'list', 'admin'] };

interface Grant {
  readonly buckets?: readonly string[];
  readonly prefixes?: readonly string[];
  readonly actions: readonly string[];
}

/** Access keys of the tests by what they may do. */
const grants: Readonly<Record<string, readonly Grant[]>> = {
  nothing: [],
  reader: [{ buckets: ['data'], actions: ['read'] }],
  writer: [{ buckets: ['data'], actions: ['write'] }],
  deleter: [{ buckets: ['data'], actions: ['delete'] }],
  lister: [{ buckets: ['data'], actions: ['list'] }],
  admin: [{ buckets: ['data', 'made-*'], actions: ['admin'] }],
  tenant: [{ buckets: ['data'], prefixes: ['tenant/'], actions: ['read', 'write', 'delete', 'list'] }],
  logs: [{ buckets: ['logs-*'], actions: ['read', 'write', 'delete', 'list'] }],
  mixed: [
    { buckets: ['data'], prefixes: ['in/'], actions: ['write'] },
    { buckets: ['data'], prefixes: ['out/'], actions: ['read', 'list'] },
  ],
};

function credentialsOf(name: string): Credentials {
  return { accessKeyId: `E2E-${name}`, secretAccessKey: `secret-of-${name}-that-no-log-shows` };
}

/** What each operation needs, by its action; run against objects that exist. */
function requests(uploadId: string): Readonly<Record<string, readonly S3Request[]>> {
  const inBucket = { bucket: 'data' };
  const object = { ...inBucket, key: 'tenant/k' };
  const part = '<Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part>';
  return {
    read: [
      { method: 'GET', ...object },
      { method: 'HEAD', ...object },
      { method: 'GET', ...object, headers: { range: 'bytes=0-0' } },
    ],
    write: [
      { method: 'PUT', ...object, body: 'x' },
      { method: 'POST', ...object, query: { uploads: '' } },
      { method: 'PUT', ...object, query: { partNumber: '1', uploadId }, body: 'x' },
      { method: 'GET', ...object, query: { uploadId } },
      {
        method: 'POST',
        ...object,
        query: { uploadId },
        body: `<CompleteMultipartUpload>${part}</CompleteMultipartUpload>`,
      },
    ],
    delete: [{ method: 'DELETE', ...inBucket, key: 'tenant/not-there' }],
    list: [
      { method: 'GET', ...inBucket, query: { prefix: 'tenant/' } },
      { method: 'GET', ...inBucket, query: { 'list-type': '2', prefix: 'tenant/' } },
      { method: 'GET', ...inBucket, query: { uploads: '', prefix: 'tenant/' } },
    ],
    admin: [{ method: 'PUT', ...inBucket }],
  };
}

describe('credentials', () => {
  let gateway: Gateway;
  let root: S3Client;
  const clients = new Map<string, S3Client>();
  before(async () => {
    const credentials = Object.entries(grants).map(([name, allow]) => ({ ...credentialsOf(name), allow }));
    gateway = await Gateway.start({
      config: { credentials: [{ ...rootCredentials, allow: [everything] }, ...credentials] },
    });
    root = new S3Client(gateway);
    for (const name of Object.keys(grants))
      clients.set(name, new S3Client(gateway, { credentials: credentialsOf(name) }));
    for (const bucket of ['data', 'logs-one', 'logs', 'other']) await root.createBucket(bucket);
    await root.put('data', 'tenant/k', 'of the tenant');
    await root.put('data', 'secret', 'of somebody else');
  });
  after(async () => {
    for (const client of [root, ...clients.values()]) client[Symbol.dispose]();
    await gateway[Symbol.asyncDispose]();
  });

  const clientOf = (name: string): S3Client => {
    const client = clients.get(name);
    assert.ok(client !== undefined);
    return client;
  };

  const bucketsOf = async (name: string): Promise<readonly (string | undefined)[]> => {
    const { xml } = await clientOf(name).send({ method: 'GET' });
    return all(all(xml, 'Buckets')[0] ?? xml, 'Bucket').map((bucket) => textOf(bucket, 'Name'));
  };

  it('may do what they were given, and nothing else', async () => {
    const { uploadId } = await createUpload(root, 'data', 'tenant/k');
    for (const [action, list] of Object.entries(requests(uploadId))) {
      for (const name of ['nothing', 'reader', 'writer', 'deleter', 'lister', 'admin', 'logs']) {
        const isAllowed = grants[name]?.some(
          ({ buckets, actions }) => buckets?.[0] === 'data' && actions.includes(action),
        );
        for (const request of list) {
          const answer = await clientOf(name).send(request);
          const label = `${name}: ${JSON.stringify(request)}`;
          if (isAllowed === true) assert.notEqual(answer.status, 403, label);
          else if (request.method === 'HEAD') assert.equal(answer.status, 403, label);
          else assert.equal(answer.outcome, '403 AccessDenied', label);
        }
      }
    }
    assert.equal((await root.get('data', 'secret')).text, 'of somebody else');
  });

  it('for a prefix reach nothing beside it', async () => {
    const tenant = clientOf('tenant');
    assert.equal((await tenant.get('data', 'tenant/k')).status, 200);
    assert.equal((await tenant.put('data', 'tenant/deep/er', 'x')).status, 200);
    for (const key of ['secret', 'tenant', 'tenantx', 'Tenant/k', 'tenan', '/tenant/k', 'x/tenant/k']) {
      assert.equal((await tenant.get('data', key)).outcome, '403 AccessDenied', key);
      assert.equal((await tenant.put('data', key, 'x')).outcome, '403 AccessDenied', key);
      assert.equal((await tenant.delete('data', key)).outcome, '403 AccessDenied', key);
    }
    // A key is not a path: this one lies in the tenant's own prefix, and leads nowhere else.
    assert.equal((await tenant.get('data', 'tenant/../secret')).outcome, '404 NoSuchKey');
    assert.equal(
      (await tenant.send({ method: 'GET', rawPath: '/data/tenant%2F..%2Fsecret' })).outcome,
      '404 NoSuchKey',
    );
  });

  it('for a prefix list within it only', async () => {
    const tenant = clientOf('tenant');
    for (const query of [
      { 'list-type': '2' },
      { 'list-type': '2', prefix: '' },
      { 'list-type': '2', prefix: 'tenant' },
      { 'list-type': '2', prefix: 'secret' },
      { prefix: 't' },
      { uploads: '' },
      { uploads: '', prefix: 'secret' },
    ]) {
      const answer = await tenant.send({ method: 'GET', bucket: 'data', query });
      assert.equal(answer.outcome, '403 AccessDenied', JSON.stringify(query));
    }
    for (const prefix of ['tenant/', 'tenant/k', 'tenant/nothing']) {
      const answer = await tenant.send({ method: 'GET', bucket: 'data', query: { 'list-type': '2', prefix } });
      assert.equal(answer.outcome, '200', prefix);
      for (const entry of all(answer.xml, 'Contents')) assert.match(textOf(entry, 'Key') ?? '', /^tenant\//);
    }
  });

  it('are asked for each key of DeleteObjects', async () => {
    const keys = ['tenant/gone', 'secret', 'tenant', 'tenant/also gone'];
    for (const key of keys) await root.put('data', key, 'x');
    const objects = keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join('');
    const request = { method: 'POST', bucket: 'data', query: { delete: '' }, body: `<Delete>${objects}</Delete>` };
    const answer = await clientOf('tenant').send(request);
    assert.equal(answer.outcome, '200');
    const deleted = all(answer.xml, 'Deleted').map((entry) => textOf(entry, 'Key'));
    const refused = all(answer.xml, 'Error').map((entry) => [textOf(entry, 'Key'), textOf(entry, 'Code')]);
    assert.deepEqual(deleted, ['tenant/gone', 'tenant/also gone']);
    assert.deepEqual(refused, [
      ['secret', 'AccessDenied'],
      ['tenant', 'AccessDenied'],
    ]);
    assert.equal((await root.head('data', 'secret')).status, 200);
    // Without the action no key is deleted, and without the bucket nothing is answered.
    const byReader = await clientOf('reader').send(request);
    assert.equal(all(byReader.xml, 'Error').length, keys.length);
    assert.equal((await clientOf('logs').send(request)).outcome, '403 AccessDenied');
    assert.equal((await root.head('data', 'secret')).status, 200);
  });

  it('with several grants may do what one of them says', async () => {
    const mixed = clientOf('mixed');
    assert.equal((await mixed.put('data', 'in/k', 'x')).status, 200);
    assert.equal((await mixed.get('data', 'in/k')).outcome, '403 AccessDenied');
    await root.put('data', 'out/k', 'x');
    assert.equal((await mixed.get('data', 'out/k')).status, 200);
    assert.equal((await mixed.put('data', 'out/k', 'y')).outcome, '403 AccessDenied');
    assert.equal((await mixed.delete('data', 'in/k')).outcome, '403 AccessDenied');
  });

  it('cannot touch the upload of another prefix, whatever id they know', async () => {
    const tenant = clientOf('tenant');
    const { uploadId } = await createUpload(root, 'data', 'secret');
    const upload = { bucket: 'data', key: 'secret', query: { uploadId } };
    assert.equal((await tenant.send({ method: 'GET', ...upload })).outcome, '403 AccessDenied');
    assert.equal((await tenant.send({ method: 'DELETE', ...upload })).outcome, '403 AccessDenied');
    const part = { ...upload, query: { uploadId, partNumber: '1' } };
    assert.equal((await tenant.send({ method: 'PUT', ...part, body: 'x' })).outcome, '403 AccessDenied');
    // Under a key of its own the id names no upload.
    const own = { ...part, key: 'tenant/k' };
    assert.equal((await tenant.send({ method: 'PUT', ...own, body: 'x' })).outcome, '404 NoSuchUpload');
  });

  it('see the buckets that their grants are about', async () => {
    assert.deepEqual(await bucketsOf('nothing'), []);
    assert.deepEqual(await bucketsOf('reader'), ['data']);
    assert.deepEqual(await bucketsOf('tenant'), ['data']);
    assert.deepEqual(await bucketsOf('logs'), ['logs-one']);
    for (const [name, bucket, status] of [
      ['reader', 'data', 200],
      ['reader', 'other', 403],
      ['reader', 'not-there', 403],
      ['logs', 'logs-two', 404],
      ['logs', 'logs', 403],
    ] as const) {
      assert.equal((await clientOf(name).send({ method: 'HEAD', bucket })).status, status, `${name} ${bucket}`);
    }
  });

  it('make and remove buckets only as admin, of the names they were given', async () => {
    const admin = clientOf('admin');
    assert.equal((await admin.createBucket('made-one')).outcome, '200');
    assert.equal((await admin.send({ method: 'DELETE', bucket: 'made-one' })).outcome, '204');
    assert.equal((await admin.createBucket('unmade')).outcome, '403 AccessDenied');
    assert.equal((await clientOf('tenant').createBucket('data')).outcome, '403 AccessDenied');
    for (const name of ['tenant', 'deleter', 'nothing']) {
      const answer = await clientOf(name).send({ method: 'DELETE', bucket: 'data' });
      assert.equal(answer.outcome, '403 AccessDenied', name);
    }
    assert.equal((await admin.get('data', 'secret')).outcome, '403 AccessDenied');
  });
});
