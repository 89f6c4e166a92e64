/** Object metadata as common S3 tools leave it behind. Pure. */
import { isUtf8 } from 'node:buffer';

import { CodedError } from '../../base/coded-error.ts';
import { envelopeHeader } from '../../envelope/envelope.ts';
import { recordFormat } from '../../envelope/envelope-record.ts';
import { rcloneHeaders } from './rclone-metadata.ts';

/** A document that says nothing of an object's metadata, or cannot be read. */
export class MetadataError extends CodedError<'metadata_unreadable'> {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super('metadata_unreadable', message, options);
  }
}

/** What a document says of an object's metadata. */
export interface StoredMetadata {
  /** `x-amz-meta-*` and Content-Type by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether these are all of them, as they are stored: then they must be what was sealed with the object. */
  readonly isComplete: boolean;
  /** Length of the stored object, where the document says it. */
  readonly storedBytes?: number;
}

/** JSON objects by any name. */
export type JsonObject = Readonly<Record<string, unknown>>;

const metadataPrefix = 'x-amz-meta-';
const byteOrderMark = '\uFEFF';
/** Names beside the metadata in a flat map without prefixes. */
const systemNames = new Set(['content-type', 'content-length']);
const headerLine = /^\s*([A-Za-z0-9-]+)[\t ]*:[\t ]*(.*?)\s*$/;

/**
 * Reads a document: JSON (of `aws s3api`, boto3, rclone, or a map of names and values) or lines `name: value`.
 * @throws MetadataError
 */
export function parseMetadata(bytes: Uint8Array): StoredMetadata {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString(isUtf8(buffer) ? 'utf8' : 'latin1').replace(byteOrderMark, '');
  if (/^\s*[[{]/.test(text)) return metadataOf(parseJson(text));
  const fields = text.split('\n').flatMap((line) => {
    const [, name, value] = headerLine.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
  const metadata = headerMap(Object.fromEntries(fields));
  if (metadata.headers[envelopeHeader] !== undefined) return metadata;
  throw new MetadataError(`it is neither JSON nor header lines with ${envelopeHeader}`);
}

/**
 * What a parsed JSON document says; a list must have one entry.
 * @throws MetadataError
 */
export function metadataOf(document: unknown): StoredMetadata {
  if (Array.isArray(document)) {
    if (document.length !== 1) throw new MetadataError(`it is a list of ${document.length} entries, not of one`);
    return metadataOf(document[0]);
  }
  if (!isJsonObject(document)) throw new MetadataError('it is no JSON object');
  // What a rewrap left beside an old version says of its metadata nothing but the envelope.
  if (document['format'] === recordFormat && typeof document['envelope'] === 'string') {
    return envelopeOnly(document['envelope']);
  }
  const nested = member(document, 'metadata');
  if (!isJsonObject(nested)) return flatMap(document);
  if ('ModTime' in document || 'IsDir' in document) {
    return { headers: rcloneHeaders(nested), isComplete: false, ...lengthOf(document) };
  }
  return { ...nestedMap(document, nested), ...lengthOf(document) };
}

/** Only the value of `x-amz-meta-s3eg`. */
export function envelopeOnly(value: string): StoredMetadata {
  return { headers: { [envelopeHeader]: value.trim() }, isComplete: false };
}

/** Whether a parsed JSON value is an object. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * `JSON.parse` without what it says of the text.
 * @throws MetadataError
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MetadataError('it is not valid JSON', { cause: error });
  }
}

/** Answer of HeadObject or GetObject: `ContentType`, and `Metadata` without the prefix; or both in `metadata`, with it. */
function nestedMap(document: JsonObject, nested: JsonObject): StoredMetadata {
  const contentType = member(document, 'contenttype');
  const named = Object.entries(nested).map(([name, value]): [string, unknown] => {
    const lower = name.toLowerCase();
    const isHeader = lower.startsWith(metadataPrefix) || (lower === 'content-type' && contentType === undefined);
    return [isHeader ? lower : `${metadataPrefix}${lower}`, value];
  });
  const metadata = headerMap({
    ...Object.fromEntries(named),
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
  });
  const missing = member(document, 'missingmeta');
  return typeof missing === 'number' && missing > 0 ? { ...metadata, isComplete: false } : metadata;
}

/** Names and values: header fields, or user metadata without its prefix. */
function flatMap(document: JsonObject): StoredMetadata {
  const names = Object.keys(document);
  if (names.some((name) => name.toLowerCase().startsWith(metadataPrefix))) return headerMap(document);
  const renamed = Object.entries(document).map(([name, value]) => {
    const lower = name.toLowerCase();
    return [systemNames.has(lower) ? lower : `${metadataPrefix}${lower}`, value];
  });
  return headerMap(Object.fromEntries(renamed));
}

function headerMap(fields: JsonObject): StoredMetadata {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    const lower = name.toLowerCase();
    if (typeof value !== 'string') continue;
    if (lower === 'content-type' || lower.startsWith(metadataPrefix)) headers[lower] = value;
  }
  // The gateway stores a Content-Type with every object: where there is none, something was left out.
  return { headers, isComplete: headers['content-type'] !== undefined, ...lengthOf(fields) };
}

/** Content-Length by the names that tools give it. */
function lengthOf(document: JsonObject): Pick<StoredMetadata, 'storedBytes'> {
  const length = ['contentlength', 'content-length', 'size'].map((name) => member(document, name)).find(Boolean);
  const storedBytes = typeof length === 'string' && /^\d{1,15}$/.test(length) ? Number(length) : length;
  return typeof storedBytes === 'number' && Number.isSafeInteger(storedBytes) && storedBytes >= 0
    ? { storedBytes }
    : {};
}

function member(object: JsonObject, name: string): unknown {
  return Object.entries(object).find(([found]) => found.toLowerCase() === name)?.[1];
}
