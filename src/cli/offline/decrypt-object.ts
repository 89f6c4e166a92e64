import { verifyMetadataDigest, type SealedMetadata } from '../../envelope/envelope.ts';
import { EnvelopeError } from '../../envelope/envelope-error.ts';
import { StoredObject } from '../../maintenance/stored-object.ts';
import { FileBytes } from './file-bytes.ts';
import type { StoredMetadata } from './metadata-document.ts';
import type { ObjectKeys } from './offline-keys.ts';
import { writeWholeFile } from './output-file.ts';

/** One object to decrypt. */
export interface DecryptJob {
  /** File with the stored bytes. */
  readonly source: string;
  readonly key: string;
  readonly metadata: StoredMetadata;
  readonly output: string;
}

/** What all objects of one run have in common. */
export interface DecryptContext {
  readonly keys: ObjectKeys;
  readonly bucket: string;
  /** Replace files that are there. */
  readonly force: boolean;
  readonly makeDirectories: boolean;
  /** Decrypt although user metadata or Content-Type is not what was stored. */
  readonly ignoreMetadata: boolean;
  readonly signal: AbortSignal;
  /** Hears of stored bytes that were read. */
  readonly onRead: (lengthBytes: number) => void;
}

/**
 * Whether user metadata and Content-Type are those that were stored: `not_checked` where not all of them are known and what
 * is known does not suffice, `differs` where they are not and that was to be ignored.
 */
export type MetadataOutcome = 'verified' | 'not_checked' | 'differs';

/** An object that was decrypted. */
export interface DecryptedObject {
  readonly plaintextBytes: number;
  readonly metadata: MetadataOutcome;
}

/**
 * Decrypts one object into its file, which is there whole and verified, or not at all.
 * @throws EnvelopeError, KeyError, ChecksumMismatchError, OutputExistsError, the system's error; the signal's reason.
 */
export async function decryptObject(job: DecryptJob, context: DecryptContext): Promise<DecryptedObject> {
  const { keys, bucket, signal, onRead, ignoreMetadata, force, makeDirectories } = context;
  const { key, metadata } = job;
  await using bytes = await FileBytes.open(job.source, { signal, onRead });
  using object = await StoredObject.open({
    headers: metadata.headers,
    bytes,
    unwrap: (envelope) => keys.unwrap(envelope, { bucket, key }),
  });
  const outcome = compareMetadata(metadata, object.metadata);
  if (outcome === 'differs' && !ignoreMetadata) {
    throw new EnvelopeError(
      'authentication_failed',
      'user metadata or Content-Type is not what was stored; --ignore-metadata decrypts nevertheless',
    );
  }
  const plaintextBytes = await writeWholeFile(job.output, object.plaintext(), { force, makeDirectories });
  return { plaintextBytes, metadata: outcome };
}

/** Compares metadata with what was sealed; part of it proves nothing unless it happens to be all of it. */
export function compareMetadata({ headers, isComplete }: StoredMetadata, sealed: SealedMetadata): MetadataOutcome {
  try {
    verifyMetadataDigest(sealed, headers);
    return 'verified';
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error;
    return isComplete ? 'differs' : 'not_checked';
  }
}
