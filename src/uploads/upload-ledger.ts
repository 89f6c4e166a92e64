import type { ByteStream } from '../base/byte-stream.ts';
import type { ChecksumAlgorithm } from '../s3/checksum.ts';
import type { CallOptions, UploadAddress } from '../store/object-store.ts';

/** What UploadPart and Complete need of an upload that another replica may have begun. */
export interface UploadRecord {
  /** The encoded envelope that CreateMultipartUpload gave to the backend. */
  readonly envelope: string;
  /** The checksum that the client wants of the object. */
  readonly checksum?: UploadChecksum;
}

/** A checksum of a multipart object, in S3's words. */
export interface UploadChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Over the checksums of the parts, or of the object as a whole. */
  readonly type: 'COMPOSITE' | 'FULL_OBJECT';
}

/**
 * A part that the backend would not take where it is, whose ciphertext waits until Complete: one below S3's minimum, which can
 * only be the last one, or one of another size than the first where the backend wants parts of one size.
 */
export interface StagedPart {
  readonly partNumber: number;
  /** 16 hex digits: the first 8 bytes of the part's FLOE header tag. */
  readonly attemptTag: string;
  readonly plaintextBytes: number;
  /** Stored length in bytes. */
  readonly sizeBytes: number;
  /** ETag of the staged ciphertext, quoted. */
  readonly etag: string;
  readonly lastModified: string; // ISO 8601
}

export interface StageRequest {
  readonly partNumber: number;
  readonly attemptTag: string;
  readonly plaintextBytes: number;
  readonly body: ByteStream;
  readonly lengthBytes: number;
}

/**
 * Port to what a multipart upload needs beside the backend's own state. Invariants, checked by
 * `test/contract/upload-ledger.ts`:
 * - What was recorded or staged is seen by every replica, and after a restart.
 * - Each attempt of a part is kept apart: staging a number again does not replace the earlier attempt.
 * - `remove` deletes the record and all staged parts; it may be called again.
 */
export interface UploadLedger {
  record(address: UploadAddress, record: UploadRecord, options?: CallOptions): Promise<void>;
  find(address: UploadAddress, options?: CallOptions): Promise<UploadRecord | undefined>;
  stagePart(address: UploadAddress, request: StageRequest, options?: CallOptions): Promise<{ readonly etag: string }>;
  /** All attempts, by part number. */
  stagedParts(address: UploadAddress, options?: CallOptions): Promise<readonly StagedPart[]>;
  /** The ciphertext of one attempt; consume it or end its iteration. */
  readStagedPart(address: UploadAddress, part: StagedPart, options?: CallOptions): Promise<ByteStream>;
  remove(address: UploadAddress, options?: CallOptions): Promise<void>;
}
