/** An object as the provider has it, and ways to change it behind the gateway's back. */
import { readFile, writeFile } from 'node:fs/promises';

import type { S3Client } from './s3-client.ts';

/** Stored bytes with what the provider keeps beside them. */
export interface StoredObject {
  readonly bytes: Buffer;
  readonly metadata: Readonly<Record<string, string>>;
  readonly contentType: string;
}

/** An object at the backend, with a file for its bytes on the way. */
export interface StoredPlace {
  readonly raw: S3Client;
  readonly bucket: string;
  readonly key: string;
  readonly file: string;
}

/** Reads what is stored, directly at the backend. */
export async function readStored({ raw, bucket, key, file }: StoredPlace): Promise<StoredObject> {
  const { Metadata, ContentType = '' } = await raw.get(bucket, key, {}, file);
  return { bytes: await readFile(file), metadata: Metadata, contentType: ContentType };
}

/** Replaces what is stored, directly at the backend. */
export async function writeStored({ raw, bucket, key, file }: StoredPlace, stored: StoredObject): Promise<void> {
  await writeFile(file, stored.bytes);
  await raw.put(bucket, key, { $file: file }, { Metadata: stored.metadata, ContentType: stored.contentType });
}

/** Plaintext bytes of a segment, where nothing else is configured. */
export const segmentBytes = 65_536;

const headerBytes = 74;
const segmentOverhead = 32;
const mebibyte = 1024 * 1024;

/** Stored bytes of an object of this many plaintext bytes (docs/format section 3). */
export function storedSize(plaintextBytes: number): number {
  const segments = Math.max(1, Math.ceil(plaintextBytes / segmentBytes));
  return plaintextBytes + segmentOverhead * segments + 128 * (Math.floor(plaintextBytes / (5 * mebibyte)) + 1) + 256;
}

/** Stored bytes of a part of this many plaintext bytes (docs/format section 5). */
export function messageSize(plaintextBytes: number): number {
  return headerBytes + plaintextBytes + segmentOverhead * Math.max(1, Math.ceil(plaintextBytes / segmentBytes));
}

/** A run of stored bytes: the first one, and the one behind the last. */
export interface Place {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Where the parts of a message are, which begins at `offset` of the stored object. */
export function messagePlaces(offset: number, plaintextBytes: number): readonly Place[] {
  const places: Place[] = [{ name: 'header', start: offset, end: offset + headerBytes }];
  const segments = Math.max(1, Math.ceil(plaintextBytes / segmentBytes));
  for (let k = 0; k < segments; k++) {
    const start = offset + headerBytes + k * (segmentBytes + segmentOverhead);
    const size = Math.min(segmentBytes, plaintextBytes - k * segmentBytes) + segmentOverhead;
    const name = `segment ${k}`;
    places.push(
      { name: `${name} length`, start, end: start + 4 },
      { name: `${name} nonce`, start: start + 4, end: start + 16 },
      { name: `${name} ciphertext`, start: start + 16, end: start + size - 16 },
      { name: `${name} tag`, start: start + size - 16, end: start + size },
    );
  }
  return places.filter(({ start, end }) => start < end);
}

/** One whole segment of a message that begins at `offset`. */
export function segmentPlace(offset: number, plaintextBytes: number, k: number): Place {
  const start = offset + headerBytes + k * (segmentBytes + segmentOverhead);
  const size = Math.min(segmentBytes, plaintextBytes - k * segmentBytes) + segmentOverhead;
  return { name: `segment ${k}`, start, end: start + size };
}

/** Where the parts of the index region are, which begins at `offset`. */
export function indexPlaces(bytes: Buffer, offset: number): readonly Place[] {
  const trailer = bytes.length - 8;
  const sealed = trailer - bytes.readUInt32BE(trailer);
  return [
    { name: 'padding', start: offset, end: sealed },
    { name: 'index nonce', start: sealed, end: sealed + 12 },
    { name: 'index ciphertext', start: sealed + 12, end: trailer - 16 },
    { name: 'index tag', start: trailer - 16, end: trailer },
    { name: 'index length', start: trailer, end: trailer + 4 },
    { name: 'magic', start: trailer + 4, end: trailer + 8 },
  ];
}

/** The bytes with one of them changed. */
export function flipped(bytes: Buffer, offset: number, bits: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[offset] = (changed[offset] ?? 0) ^ bits;
  return changed;
}

/** The bytes with two runs of the same length exchanged. */
export function swapped(bytes: Buffer, left: Place, right: Place): Buffer {
  const changed = Buffer.from(bytes);
  bytes.copy(changed, left.start, right.start, right.end);
  bytes.copy(changed, right.start, left.start, left.end);
  return changed;
}

/** The bytes with one run replaced by another one of the same length. */
export function replaced(bytes: Buffer, place: Place, by: Buffer): Buffer {
  if (by.length !== place.end - place.start) throw new Error('another length');
  const changed = Buffer.from(bytes);
  by.copy(changed, place.start);
  return changed;
}
