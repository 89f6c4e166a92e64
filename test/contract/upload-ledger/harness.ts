import { randomBytes } from 'node:crypto';

import type { ByteStream } from '../../../src/base/byte-stream.ts';
import type { UploadAddress } from '../../../src/store/object-store.ts';
import type { StagedPart, StageRequest, UploadLedger } from '../../../src/uploads/upload-ledger.ts';

/** What an adapter brings to the suite. */
export interface LedgerUnderTest {
  /** The ledger of one replica, which stays the same over all tests. */
  readonly ledger: UploadLedger;
  /** The ledger of another replica, which serves at the same time. */
  readonly replica: UploadLedger;
  /** A ledger that knows nothing but what is stored: that of a process that has just started. */
  readonly restarted: () => Promise<UploadLedger>;
  /** A bucket that is there; uploads are to objects in it. */
  readonly bucket: string;
  /** Called once after the last test. */
  readonly close: () => Promise<void>;
}

/** What each test gets: the ledgers, and an upload that nobody else uses. */
export interface ContractContext extends LedgerUnderTest {
  readonly upload: UploadAddress;
}

export interface ContractTest {
  readonly name: string;
  readonly run: (context: ContractContext) => Promise<void>;
}

/** An upload that nothing has been recorded of. */
export function freshUpload(bucket: string, key = 'photos/2026/cat.jpg'): UploadAddress {
  return { bucket, key, uploadId: randomBytes(16).toString('base64url') };
}

/** Bytes that differ from place to place and from attempt to attempt. */
export function content(lengthBytes: number, attempt: number): Buffer {
  const bytes = Buffer.allocUnsafe(lengthBytes);
  for (let index = 0; index < lengthBytes; index++) bytes[index] = (index * 31 + attempt * 101) & 0xff;
  return bytes;
}

/** The attempt tag of the n-th attempt. */
export function tagOf(attempt: number): string {
  return attempt.toString(16).padStart(16, '0');
}

/** A request to stage `bytes`, in chunks. */
export function stage(partNumber: number, attempt: number, bytes: Uint8Array): StageRequest {
  return {
    partNumber,
    attemptTag: tagOf(attempt),
    plaintextBytes: Math.max(0, bytes.length - 106),
    body: chunksOf(bytes),
    lengthBytes: bytes.length,
  };
}

/** A body in chunks of 10 000 bytes. */
export async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += 10_000) yield bytes.subarray(offset, offset + 10_000);
}

/** Everything a body gives. */
export async function collect(body: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The ciphertext of the attempt that `stagedParts` lists. */
export async function readBack(ledger: UploadLedger, upload: UploadAddress, part: StagedPart): Promise<Buffer> {
  return collect(await ledger.readStagedPart(upload, part));
}

/** Part number and attempt tag of each, as listed. */
export function names(parts: readonly StagedPart[]): readonly string[] {
  return parts.map(({ partNumber, attemptTag }) => `${partNumber} ${attemptTag}`);
}
