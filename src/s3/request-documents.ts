import { checkKeyLength } from './address.ts';
import { checksumAlgorithms } from './checksum.ts';
import { s3Error, type S3Error } from './s3-error.ts';
import { tagsIn, type Tag } from './tagging.ts';
import { parseXml, type XmlElement } from './xml.ts';

/** Longest request bodies that are read: S3's own counts of entries, each as long as escaping can make it. */
export const maxDocumentBytes = {
  Delete: 8 * 1024 * 1024,
  CompleteMultipartUpload: 8 * 1024 * 1024,
  CreateBucketConfiguration: 64 * 1024,
} as const;

/** A DeleteObjects request. */
export interface DeleteRequest {
  readonly objects: readonly { readonly key: string; readonly versionId?: string }[];
  /** Only failures are to be answered. */
  readonly quiet: boolean;
}

const maxDeletedObjects = 1000;

/**
 * Reads the body of DeleteObjects.
 * @throws S3Error MalformedXML; NotImplemented where an object has conditions, which must not be left out silently.
 */
export function parseDeleteRequest(body: string | Uint8Array): DeleteRequest {
  const root = parseRoot('Delete', body, ['Object', 'Quiet']);
  const objects = root.children('Object').map(parseDeleteEntry);
  if (objects.length === 0 || objects.length > maxDeletedObjects) {
    throw malformed(`between 1 and ${maxDeletedObjects} objects are allowed`);
  }
  const quiet = single(root, 'Quiet')?.text().trim() ?? 'false';
  if (quiet !== 'true' && quiet !== 'false') throw malformed('Quiet must be true or false');
  return { objects, quiet: quiet === 'true' };
}

function parseDeleteEntry(entry: XmlElement): DeleteRequest['objects'][number] {
  for (const condition of ['ETag', 'LastModifiedTime', 'Size']) {
    if (entry.child(condition) !== undefined) {
      throw s3Error('NotImplemented', `Deleting objects on the condition ${condition} is not implemented.`);
    }
  }
  allowOnly(entry, ['Key', 'VersionId']);
  const key = single(entry, 'Key')?.text() ?? '';
  const versionId = single(entry, 'VersionId')?.text().trim() ?? '';
  if (key === '') throw malformed('an object has no key');
  checkKeyLength(key);
  return versionId === '' ? { key } : { key, versionId };
}

/** One part of a CompleteMultipartUpload request. */
export interface RequestedPart {
  readonly partNumber: number;
  /** As the client wrote it, quoted or not. */
  readonly etag: string;
  /** By element name, e.g. `ChecksumCRC32C`; base64. */
  readonly checksums: ReadonlyMap<string, string>;
}

const maxParts = 10_000;
const partChecksums = checksumAlgorithms.map((algorithm) => `Checksum${algorithm}`);

/**
 * Reads the body of CompleteMultipartUpload. Whether parts ascend and exist is for the operation to say.
 * @throws S3Error InvalidRequest where there is none; MalformedXML; InvalidArgument for part numbers out of 1 to 10 000;
 * NotImplemented for checksums of algorithms that are not known.
 */
export function parseCompleteRequest(body: string | Uint8Array): readonly RequestedPart[] {
  if (body.length === 0) throw s3Error('InvalidRequest', 'You must specify at least one part');
  const root = parseRoot('CompleteMultipartUpload', body, ['Part']);
  const parts = root.children('Part');
  if (parts.length === 0 || parts.length > maxParts) throw malformed(`between 1 and ${maxParts} parts are allowed`);
  return parts.map(parsePart);
}

function parsePart(part: XmlElement): RequestedPart {
  const unknown = part.children().find(({ name }) => name.startsWith('Checksum') && !partChecksums.includes(name));
  if (unknown !== undefined) throw s3Error('NotImplemented', `${unknown.name} is not implemented.`);
  allowOnly(part, ['PartNumber', 'ETag', ...partChecksums]);
  const etag = single(part, 'ETag')?.text().trim() ?? '';
  if (etag === '') throw malformed('a part has no ETag');
  const checksums = new Map<string, string>();
  for (const name of partChecksums) {
    const checksum = single(part, name)?.text().trim();
    if (checksum !== undefined && checksum !== '') checksums.set(name, checksum);
  }
  return { partNumber: parsePartNumber(single(part, 'PartNumber')?.text().trim() ?? ''), etag, checksums };
}

/**
 * Reads a part number, from a document or from the query.
 * @throws S3Error InvalidArgument unless it is an integer between 1 and 10 000.
 */
export function parsePartNumber(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > maxParts) {
    throw s3Error('InvalidArgument', `Part number must be an integer between 1 and ${maxParts}, inclusive`, {
      details: { ArgumentName: 'partNumber', ArgumentValue: text.slice(0, 100) },
    });
  }
  return number;
}

/**
 * Reads the body of CreateBucket, which may be empty.
 * @throws S3Error MalformedXML, InvalidTag, BadRequest (too many tags); NotImplemented for directory buckets.
 */
export function parseCreateBucketRequest(body: string | Uint8Array): {
  readonly locationConstraint?: string;
  readonly tags: readonly Tag[];
} {
  if (body.length === 0) return { tags: [] };
  const name = 'CreateBucketConfiguration';
  const root = parseRoot(name, body, ['LocationConstraint', 'Location', 'Bucket', 'Tags']);
  const refused = root.children().find(({ name }) => name === 'Location' || name === 'Bucket');
  if (refused !== undefined) throw s3Error('NotImplemented', `${refused.name} in ${name} is not implemented.`);
  const locationConstraint = single(root, 'LocationConstraint')?.text().trim() ?? '';
  const set = single(root, 'Tags');
  const tags = set === undefined ? [] : tagsIn(set, 'Bucket');
  return locationConstraint === '' ? { tags } : { locationConstraint, tags };
}

function parseRoot(
  name: keyof typeof maxDocumentBytes,
  body: string | Uint8Array,
  allowed: readonly string[],
): XmlElement {
  const root = parseXml(body, { maxBytes: maxDocumentBytes[name], maxDepth: 6 });
  if (root.name !== name) throw malformed(`the root element is not ${name}`);
  allowOnly(root, allowed);
  return root;
}

/** What is not known is refused: an element left out could be a condition. */
function allowOnly(parent: XmlElement, allowed: readonly string[]): void {
  const unknown = parent.children().find((child) => !allowed.includes(child.name));
  if (unknown !== undefined) throw malformed(`unexpected element in ${parent.name}`);
}

function single(parent: XmlElement, name: string): XmlElement | undefined {
  const [first, second] = parent.children(name);
  if (second !== undefined) throw malformed(`${name} is given twice`);
  return first;
}

function malformed(reason: string): S3Error {
  return s3Error('MalformedXML', undefined, { cause: new Error(reason) });
}
