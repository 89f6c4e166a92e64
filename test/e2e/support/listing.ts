import assert from 'node:assert/strict';

import type { S3Client } from './client.ts';
import { all, textOf, type Xml } from './xml.ts';

/** What a listing shows of an object. */
export interface Listed {
  readonly key: string;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly lastModified: string;
}

/** Pages of a listing put together. */
export interface Listing {
  readonly objects: readonly Listed[];
  readonly commonPrefixes: readonly string[];
  readonly pages: number;
}

/** What to list; as the query has it. */
export interface ListParameters {
  readonly version: 1 | 2;
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly maxKeys?: number;
  /** `marker` or `start-after` of the first page. */
  readonly after?: string;
  readonly isEncoded?: boolean;
}

/** Lists page after page, as a client does that trusts nothing but what S3 promises. */
export async function listObjects(s3: S3Client, bucket: string, parameters: ListParameters): Promise<Listing> {
  const decode = parameters.isEncoded === true ? decodeURIComponent : (text: string) => text;
  const objects: Listed[] = [];
  const commonPrefixes: string[] = [];
  let pages = 0;
  let position: Readonly<Record<string, string>> | undefined = firstPosition(parameters);
  do {
    const answer = await s3.send({ method: 'GET', bucket, query: { ...baseQuery(parameters), ...position } });
    assert.equal(answer.outcome, '200', answer.text);
    const { xml } = answer;
    const page = all(xml, 'Contents').map((entry) => listed(entry, decode));
    const prefixes = all(xml, 'CommonPrefixes').map((entry) => decode(textOf(entry, 'Prefix') ?? ''));
    checkPage(xml, parameters, page.length + prefixes.length);
    objects.push(...page);
    commonPrefixes.push(...prefixes);
    pages += 1;
    position = nextPosition(xml, parameters, decode, page.at(-1)?.key);
  } while (position !== undefined);
  return { objects, commonPrefixes, pages };
}

function firstPosition({ version, after }: ListParameters): Readonly<Record<string, string>> {
  if (after === undefined) return {};
  return version === 1 ? { marker: after } : { 'start-after': after };
}

function baseQuery({ version, prefix, delimiter, maxKeys, isEncoded }: ListParameters): Record<string, string> {
  return {
    ...(version === 2 ? { 'list-type': '2' } : {}),
    ...(prefix === undefined ? {} : { prefix }),
    ...(delimiter === undefined ? {} : { delimiter }),
    ...(maxKeys === undefined ? {} : { 'max-keys': String(maxKeys) }),
    ...(isEncoded === true ? { 'encoding-type': 'url' } : {}),
  };
}

function listed(entry: Xml, decode: (text: string) => string): Listed {
  return {
    key: decode(textOf(entry, 'Key') ?? ''),
    etag: textOf(entry, 'ETag') ?? '',
    sizeBytes: Number(textOf(entry, 'Size')),
    lastModified: textOf(entry, 'LastModified') ?? '',
  };
}

function checkPage(xml: Xml, { version, maxKeys = 1000, isEncoded }: ListParameters, count: number): void {
  assert.equal(xml.name, 'ListBucketResult');
  assert.equal(textOf(xml, 'MaxKeys'), String(Math.min(maxKeys, 1000)));
  assert.equal(textOf(xml, 'EncodingType'), isEncoded === true ? 'url' : undefined);
  assert.ok(count <= maxKeys, `${count} entries on a page of ${maxKeys}`);
  if (version === 2) assert.equal(textOf(xml, 'KeyCount'), String(count));
}

function nextPosition(
  xml: Xml,
  { version, delimiter }: ListParameters,
  decode: (text: string) => string,
  lastKey: string | undefined,
): Readonly<Record<string, string>> | undefined {
  if (textOf(xml, 'IsTruncated') !== 'true') {
    assert.equal(textOf(xml, 'NextContinuationToken'), undefined);
    return undefined;
  }
  if (version === 2) return { 'continuation-token': textOf(xml, 'NextContinuationToken') ?? '' };
  const nextMarker = textOf(xml, 'NextMarker');
  // Without a delimiter S3 gives no NextMarker: the last key says it.
  assert.equal(nextMarker === undefined, delimiter === undefined);
  const marker = nextMarker === undefined ? lastKey : decode(nextMarker);
  assert.ok(marker !== undefined);
  return { marker };
}
