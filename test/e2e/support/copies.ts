import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before } from 'node:test';

import { otherSuite } from '../../support/runtimes.ts';
import { S3Client } from './client.ts';
import { Gateway, rootCredentials, temporaryDirectory, type Credentials } from './gateway.ts';
import type { S3Response } from './response.ts';
import { all, textOf } from './xml.ts';

const everything = { buckets: ['*'], prefixes: [''], actions: ['read', 'write', 'delete', 'list', 'admin'] };

/** May read `alpha` and write `beta`, but not the other way round. */
export const oneWay: Credentials = { accessKeyId: 'ONEWAY', secretAccessKey: 'one-way-secret-for-copies' };

/** Encryption under a key. */
export const required = (key: string) => ({ mode: 'required', key });

/** Two keys, two backends, and buckets that are encrypted, not encrypted, and mixed. */
export const config = {
  credentials: [
    { ...rootCredentials, allow: [everything] },
    {
      ...oneWay,
      allow: [
        { buckets: ['alpha'], prefixes: [''], actions: ['read'] },
        { buckets: ['beta'], prefixes: [''], actions: ['write'] },
      ],
    },
  ],
  backends: {
    main: { type: 'filesystem', root: './objects' },
    other: { type: 'filesystem', root: './other' },
  },
  keys: {
    local: { type: 'local', file: './keyring.json' },
    second: { type: 'local', file: './second.json' },
  },
  policies: [
    { name: 'alpha', match: { buckets: ['alpha*'] }, backend: 'main', encryption: required('local') },
    {
      name: 'beta',
      match: { buckets: ['beta*'] },
      backend: 'main',
      encryption: { ...required('second'), segmentSize: '256KiB', suite: otherSuite },
      limits: { maxObjectBytes: '20MiB' },
    },
    { name: 'far', match: { buckets: ['far*'] }, backend: 'other', encryption: required('local') },
    { name: 'off', match: { buckets: ['off*'] }, backend: 'main', encryption: { mode: 'off' } },
    {
      name: 'mixed',
      match: { buckets: ['mixed*'] },
      backend: 'main',
      encryption: { ...required('local'), unencryptedReads: 'allow' },
    },
  ],
};

/** The same buckets, of which `mixed` is not encrypted: what another program would have put there. */
export const beforeEncryption = {
  ...config,
  policies: config.policies.map((policy) =>
    policy.name === 'mixed' ? { ...policy, encryption: { mode: 'off' } } : policy,
  ),
};

/** One for each policy. */
export const copyBuckets = ['alpha', 'beta', 'far', 'off', 'mixed'];

/** All that can describe an object. */
export const described = {
  'content-type': 'text/source; charset=utf-8',
  'cache-control': 'max-age=60',
  'content-disposition': 'attachment; filename="ä.txt"',
  'content-encoding': 'gzip',
  'content-language': 'de',
  expires: 'Thu, 01 Dec 2044 16:00:00 GMT',
  'x-amz-meta-one': 'first value',
  'x-amz-meta-utf': 'grün',
};

/** The headers of these names. */
export function picked(
  from: Readonly<Record<string, string>>,
  names: readonly string[],
): Record<string, string | undefined> {
  return Object.fromEntries(names.map((name) => [name, from[name]]));
}

/** A gateway with the buckets of the copy tests, and what they do again and again. */
export class CopySuite {
  #directory: string | undefined;
  #gateway: Gateway | undefined;
  #s3: S3Client | undefined;

  /** Starts before the tests of the surrounding `describe`, and stops after them. */
  constructor() {
    before(async () => {
      this.#directory = await temporaryDirectory();
      this.#gateway = await Gateway.start({ config, directory: this.#directory });
      this.#s3 = new S3Client(this.#gateway);
      for (const bucket of copyBuckets) await this.#s3.createBucket(bucket);
    });
    after(async () => {
      this.#s3?.[Symbol.dispose]();
      await this.#gateway?.[Symbol.asyncDispose]();
      if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
    });
  }

  /** Where other gateways with the same objects and keys can run. */
  get directory(): string {
    assert.ok(this.#directory !== undefined);
    return this.#directory;
  }

  get s3(): S3Client {
    assert.ok(this.#s3 !== undefined);
    return this.#s3;
  }

  async copy(
    source: string,
    bucket: string,
    key: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<S3Response> {
    return this.s3.send({ method: 'PUT', bucket, key, headers: { 'x-amz-copy-source': source, ...headers } });
  }

  async tagsOf(bucket: string, key: string): Promise<Record<string, string | undefined>> {
    const { xml } = await this.s3.send({ method: 'GET', bucket, key, query: { tagging: '' } });
    const tags = all(xml, 'TagSet').flatMap((set) => all(set, 'Tag'));
    return Object.fromEntries(tags.map((tag) => [textOf(tag, 'Key') ?? '', textOf(tag, 'Value')]));
  }

  /** Fails unless a copy succeeded and gives these bytes; answers its GET. */
  async expectCopy(answer: S3Response, bucket: string, key: string, bytes: Buffer): Promise<S3Response> {
    assert.equal(answer.outcome, '200', answer.text);
    assert.equal(answer.xml.name, 'CopyObjectResult');
    const got = await this.s3.get(bucket, key, { 'x-amz-checksum-mode': 'ENABLED' });
    assert.equal(got.status, 200);
    assert.ok(got.body.equals(bytes), `${bucket}/${key} has other bytes`);
    assert.equal(textOf(answer.xml, 'ETag'), got.etag);
    const head = await this.s3.head(bucket, key);
    assert.deepEqual([head.etag, head.headers['content-length']], [got.etag, String(bytes.length)]);
    const age = Date.now() - Date.parse(textOf(answer.xml, 'LastModified') ?? '');
    assert.ok(age >= -1000 && age < 300_000, `copied ${age} ms ago`);
    return got;
  }
}
