import { createHash } from 'node:crypto';

import { expect, type ProbeClient } from './probe.ts';

/** Nearly S3's 2 KiB of user metadata, most of which the envelope may take. */
const metadataBytes = 1900;

/** Writes, looks at, reads and deletes an object with much metadata, and an empty one. */
export async function probeObjects(client: ProbeClient): Promise<void> {
  const content = Buffer.from(Uint8Array.from({ length: 70_000 }, (_, index) => index % 251));
  const value = 'm'.repeat(metadataBytes);
  await client.put('object', content, { headers: { 'x-amz-meta-probe': value, 'content-type': 'text/x-probe' } });
  const head = await client.store.headObject(client.at('object'), client.options);
  expect(head.sizeBytes === content.length, 'HEAD gives another size');
  expect(head.headers['x-amz-meta-probe'] === value, 'metadata is not given back');
  expect(head.headers['content-type'] === 'text/x-probe', 'the content type is not given back');
  expect((await client.get('object')).bytes.equals(content), 'other bytes come back');
  await client.put('empty', '');
  expect((await client.get('empty')).bytes.length === 0, 'an empty object is not empty');
  await client.store.deleteObject(client.at('empty'), client.options);
  await client.store.deleteObject(client.at('empty'), client.options);
}

/** Reads the beginning, the middle and the end. */
export async function probeRanges(client: ProbeClient): Promise<void> {
  await client.put('ranges', '0123456789');
  const { bytes } = await client.get('ranges', { range: { first: 2, last: 4 } });
  expect(bytes.toString() === '234', 'a range gives other bytes');
  expect((await client.get('ranges', { range: { first: 7 } })).bytes.toString() === '789', 'an open range is wrong');
  expect((await client.get('ranges', { range: { suffix: 2 } })).bytes.toString() === '89', 'a suffix range is wrong');
}

/** Lists by both versions of the API, in pages and rolled up. */
export async function probeListings(client: ProbeClient): Promise<void> {
  const names = ['list/a', 'list/b/1', 'list/b/2', 'list/c'];
  for (const name of names) await client.put(name, name);
  const { bucket, key: prefix } = client.at('list/');
  for (const version of [1, 2] as const) {
    const rolled = await client.store.listObjects({ bucket, prefix, delimiter: '/', version }, client.options);
    const found = [...rolled.objects.map(({ key }) => key), ...rolled.commonPrefixes].toSorted();
    const wanted = ['list/a', 'list/b/', 'list/c'].map((name) => client.at(name).key);
    expect(found.join() === wanted.join(), `a listing of version ${version} with a delimiter is wrong`);
  }
  const keys: string[] = [];
  let continuationToken: string | undefined;
  do {
    const from = continuationToken === undefined ? {} : { continuationToken };
    const page = await client.store.listObjects({ bucket, prefix, version: 2, maxKeys: 3, ...from }, client.options);
    keys.push(...page.objects.map(({ key }) => key));
    continuationToken = page.isTruncated ? page.nextContinuationToken : undefined;
  } while (continuationToken !== undefined && keys.length <= names.length);
  expect(keys.join() === names.map((name) => client.at(name).key).join(), 'pages of a listing do not add up');
}

/** Lists by version 1 in pages, each after the marker that the one before gives, or after its last key. */
export async function probeMarkerPages(client: ProbeClient): Promise<void> {
  const names = ['pages/a', 'pages/b', 'pages/c'];
  for (const name of names) await client.put(name, name);
  const { bucket, key: prefix } = client.at('pages/');
  const keys: string[] = [];
  for (let marker = ''; keys.length <= names.length;) {
    const from = marker === '' ? {} : { marker };
    const page = await client.store.listObjects({ bucket, prefix, version: 1, maxKeys: 2, ...from }, client.options);
    keys.push(...page.objects.map(({ key }) => key));
    marker = page.nextMarker ?? keys.at(-1) ?? '';
    if (!page.isTruncated || page.objects.length === 0) break;
  }
  expect(keys.join() === names.map((name) => client.at(name).key).join(), 'pages by marker do not add up');
}

/** Deletes two objects, and one that is not there, in one request. */
export async function probeMultipleDeletes(client: ProbeClient): Promise<void> {
  const keys = ['many/1', 'many/2', 'many/3'].map((name) => client.at(name).key);
  await client.put('many/1', '1');
  await client.put('many/2', '2');
  const objects = keys.map((key) => ({ key }));
  const outcomes = await client.store.deleteObjects({ bucket: client.bucket, objects }, client.options);
  expect(outcomes.length === 3 && outcomes.every(({ errorCode }) => errorCode === undefined), 'not all were deleted');
}

/** Copies an object with its metadata, and with other metadata. */
export async function probeCopies(client: ProbeClient): Promise<void> {
  await client.put('copied', 'copied', { headers: { 'x-amz-meta-probe': 'before' } });
  const copy = { source: client.at('copied'), tags: 'COPY' } as const;
  await client.store.copyObject({ ...client.at('copy-1'), ...copy, metadata: 'COPY', headers: {} }, client.options);
  const headers = { 'x-amz-meta-probe': 'after' };
  await client.store.copyObject({ ...client.at('copy-2'), ...copy, metadata: 'REPLACE', headers }, client.options);
  for (const [name, value] of [['copy-1', 'before'] as const, ['copy-2', 'after'] as const]) {
    const found = await client.get(name);
    expect(found.bytes.toString() === 'copied', 'a copy has other bytes');
    expect(found.headers['x-amz-meta-probe'] === value, 'a copy has other metadata');
  }
}

/** Replaces metadata in place. */
export async function probeSelfCopies(client: ProbeClient): Promise<void> {
  const at = client.at('self');
  await client.put('self', 'self', { headers: { 'x-amz-meta-probe': 'before' } });
  const headers = { 'x-amz-meta-probe': 'after' };
  await client.store.copyObject({ ...at, source: at, tags: 'COPY', metadata: 'REPLACE', headers }, client.options);
  const found = await client.get('self');
  expect(found.bytes.toString() === 'self', 'other bytes');
  expect(found.headers['x-amz-meta-probe'] === 'after', 'the metadata is not replaced');
}

/** Tags at the put, by the sub-resource, and their count. */
export async function probeTagging(client: ProbeClient): Promise<void> {
  await client.put('tagged', 'tagged', { headers: { 'x-amz-tagging': 'probe=1' } });
  const answer = await client.store.subResource(
    {
      ...client.at('tagged'),
      operation: 'GetObjectTagging',
      method: 'GET',
      query: { tagging: '' },
      headers: {},
      document: new Uint8Array(),
    },
    client.options,
  );
  const pieces: Uint8Array[] = [];
  for await (const piece of answer.body ?? []) pieces.push(piece);
  expect(/<Key>probe<\/Key>\s*<Value>1<\/Value>/.test(Buffer.concat(pieces).toString()), 'the tags are not kept');
}

/** Writes, lists, reads and deletes one object under an unusual key, beside one that it could be taken for. */
export function keyProbe(name: string, similar: string): (client: ProbeClient) => Promise<void> {
  return async (client) => {
    await client.put(similar, 'similar');
    await client.put(name, 'unusual');
    const { bucket, key } = client.at(name);
    expect((await client.get(similar)).bytes.toString() === 'similar', 'it is taken for another key');
    expect((await client.get(name)).bytes.toString() === 'unusual', 'other bytes');
    const prefix = client.at('keys/').key;
    const { objects } = await client.store.listObjects({ bucket, prefix, version: 2 }, client.options);
    expect(
      objects.some((entry) => entry.key === key),
      'it is listed under another name',
    );
    await client.store.deleteObject({ bucket, key }, client.options);
    await client.store.deleteObject(client.at(similar), client.options);
  };
}

/** A body that does not have the checksum that its header announces. */
export async function probeChecksums(client: ProbeClient): Promise<void> {
  const other = createHash('sha256').update('other').digest('base64');
  try {
    await client.put('checksum', 'content', { headers: { 'x-amz-checksum-sha256': other } });
  } catch {
    return;
  }
  expect(false, 'a wrong x-amz-checksum-sha256 is accepted');
}
