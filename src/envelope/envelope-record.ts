/** Envelopes beside their objects, for versions whose metadata nobody can change (docs/format/format-1.md, section 12). */
import { createHash } from 'node:crypto';

import { encodeFields } from './envelope-fields.ts';
import { authenticationFailed } from './envelope-error.ts';
import { decodeEnvelope, encodeEnvelope, openEnvelope, type Envelope } from './envelope.ts';
import { malformed } from './field-reader.ts';
import type { ObjectSecrets } from './object-secrets.ts';
import { encodeSealedMetadata } from './sealed-metadata.ts';

/** Longest record: key and version id have at most 1 024 bytes each, which JSON may write as six times as many. */
export const maxRecordBytes = 20 * 1024;

/** What a record calls itself. */
export const recordFormat = 's3eg-envelope';
const version = 1;

/** A second envelope of one version of an object: the same secrets, wrapped anew. */
export interface EnvelopeRecord {
  /** Key of the object. */
  readonly key: string;
  /** Version id as the provider has it; `null` is one. */
  readonly versionId: string;
  readonly envelope: Envelope;
}

/** Folder of all records, below the reserved prefix. */
export const recordFolder = 'envelopes/';

/** Where below the reserved prefix the record of a version is (F1-BES-1). */
export function recordPath(key: string, versionId: string): string {
  return `${recordFolder}${sha256(key)}/${sha256(versionId)}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/** The stored form. */
export function encodeRecord({ key, versionId, envelope }: EnvelopeRecord): Uint8Array {
  const record = { format: recordFormat, version, key, versionId, envelope: encodeEnvelope(envelope) };
  return Buffer.from(`${JSON.stringify(record)}\n`);
}

/**
 * Inverse of `encodeRecord` (F1-BES-2); nothing of it is authenticated yet.
 * @throws EnvelopeError `malformed`, `unsupported`.
 */
export function decodeRecord(bytes: Uint8Array): EnvelopeRecord {
  const record = parse(bytes);
  const { key, versionId, envelope } = record;
  if (record['format'] !== recordFormat || record['version'] !== version)
    throw malformed('it is no record of an envelope');
  if (typeof key !== 'string' || typeof versionId !== 'string' || typeof envelope !== 'string') {
    throw malformed('a field of the record is missing');
  }
  return { key, versionId, envelope: decodeEnvelope(envelope) };
}

function parse(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length > maxRecordBytes) throw malformed('the record is too long');
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof parsed === 'object' && parsed !== null) return { ...parsed };
  } catch {
    // The engine's message would quote the record.
  }
  throw malformed('the record is not JSON');
}

/** Whether two envelopes differ in nothing but what their data key is wrapped by (F1-BES-3). */
export function isOfSameObject(own: Envelope, beside: Envelope): boolean {
  return Buffer.compare(withoutKeys(own), withoutKeys(beside)) === 0;
}

function withoutKeys({ recovery: _recovery, ...envelope }: Envelope): Uint8Array {
  const none = { kekName: '-', kekVersion: '-', wrappedBucketKey: Buffer.of(0), wrappedDek: Buffer.alloc(60) };
  return encodeFields({ ...envelope, ...none });
}

/**
 * Proves that both envelopes are genuine and seal the same, so that the secrets that one of them gave may open the object of
 * the other (F1-BES-4).
 * @throws EnvelopeError `authentication_failed`, and what `openEnvelope` throws.
 */
export function verifyBeside(own: Envelope, beside: Envelope, secrets: ObjectSecrets): void {
  if (!isOfSameObject(own, beside)) throw authenticationFailed();
  const [sealed, again] = [own, beside].map((envelope) => encodeSealedMetadata(openEnvelope(envelope, secrets)));
  if (sealed === undefined || again === undefined || Buffer.compare(sealed, again) !== 0) throw authenticationFailed();
}

/**
 * The secrets of an object by the envelope beside it.
 * @throws EnvelopeError for one that is not the object's own; what `unwrap` throws.
 */
export async function unwrapBeside(
  own: Envelope,
  beside: Envelope,
  unwrap: (envelope: Envelope) => Promise<ObjectSecrets>,
): Promise<ObjectSecrets> {
  const secrets = await unwrap(beside);
  try {
    verifyBeside(own, beside, secrets);
    return secrets;
  } catch (error) {
    secrets.dispose();
    throw error;
  }
}
