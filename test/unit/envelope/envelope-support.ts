/** Objects of format 1 for the tests: made by the code under test, kept in memory, read back in every way. */
import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';

import type { ByteStream } from '../../../src/base/byte-stream.ts';
import { FloeEncryptor, floeHeaderBytes, type FloeSuite } from '../../../src/crypto/floe.ts';
import type { RandomSource } from '../../../src/crypto/random.ts';
import { sealEnvelope, type Envelope, type SealedChecksum } from '../../../src/envelope/envelope.ts';
import { EnvelopeError, type EnvelopeErrorCode } from '../../../src/envelope/envelope-error.ts';
import { ObjectLayout } from '../../../src/envelope/layout.ts';
import { attemptTagOf, messageAad } from '../../../src/envelope/message.ts';
import {
  buildIndexRegion,
  contiguousRegion,
  openIndex,
  type IndexPart,
  type ObjectIndex,
} from '../../../src/envelope/object-index.ts';
import { decryptRange, decryptWholeMultipart, decryptWholeSingle } from '../../../src/envelope/object-reader.ts';
import { ObjectSecrets } from '../../../src/envelope/object-secrets.ts';
import { collect, pieces, streamOf } from '../crypto/floe-support.ts';

export const mib = 2 ** 20;
export const unit = 65_536;
/** Smallest part that may have another behind it. */
export const part = 5 * mib;
/** The bound of the format, 50 TiB. */
export const largest = 50 * 2 ** 40;

/** Endless random bytes that follow from the seed, as a source for the code under test. */
export function seededRandom(seed: string): RandomSource {
  const key = createHash('sha256').update(seed).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  return (length) => cipher.update(Buffer.alloc(length));
}

/** So many bytes that follow from the seed. */
export function payload(length: number, seed = 'payload'): Buffer {
  return Buffer.from(seededRandom(seed)(length));
}

/** Both sides of what is stored of an object. */
export interface StoredObject {
  readonly secrets: ObjectSecrets;
  readonly envelope: Envelope;
  readonly stored: Buffer;
  readonly plaintext: Buffer;
}

/** What an object of a test consists of; one part of number 0 is the single layout. */
export interface ObjectRecipe {
  readonly parts: readonly { readonly partNumber: number; readonly plaintext: Uint8Array }[];
  readonly suite?: FloeSuite;
  readonly segmentSizeBytes?: number;
  readonly checksums?: readonly SealedChecksum[];
  readonly secrets?: ObjectSecrets;
  /** Leaves the attempt tags of a multipart object zero. */
  readonly tagsUnknown?: boolean;
}

/** The message of one part under a fresh IV. */
export function writeMessage(
  secrets: ObjectSecrets,
  { partNumber, plaintext }: ObjectRecipe['parts'][number],
  { suite = 'aes-256-gcm', segmentSizeBytes = unit }: Pick<ObjectRecipe, 'suite' | 'segmentSizeBytes'> = {},
): Buffer {
  using key = secrets.messageKey(partNumber);
  using encryptor = new FloeEncryptor(key, messageAad(partNumber), { suite, segmentSizeBytes });
  const segments = plaintext.length === 0 ? [plaintext] : pieces(plaintext, segmentSizeBytes);
  const encrypted = segments.map((segment, position) =>
    encryptor.encryptSegment(position, [segment], position === segments.length - 1),
  );
  return Buffer.concat([encryptor.header, ...encrypted]);
}

/** The object of a recipe. */
export function writeObject(recipe: ObjectRecipe): StoredObject {
  const { parts, suite = 'aes-256-gcm', segmentSizeBytes = unit, checksums = [] } = recipe;
  const secrets = recipe.secrets ?? ObjectSecrets.generate();
  const layout = parts[0]?.partNumber === 0 ? 'single' : 'multipart';
  const messages = parts.map((part) => writeMessage(secrets, part, { suite, segmentSizeBytes }));
  const headers = messages.map((message) => message.subarray(0, floeHeaderBytes));
  const region = buildIndexRegion({
    secrets,
    layout,
    segmentSizeBytes,
    index: {
      totalPlaintextBytes: parts.reduce((sum, { plaintext }) => sum + plaintext.length, 0),
      parts: parts.map(({ partNumber, plaintext }, position) => ({
        partNumber,
        plaintextBytes: plaintext.length,
        attemptTag: recipe.tagsUnknown === true ? Buffer.alloc(8) : attemptTagOf(headers[position] ?? Buffer.alloc(0)),
      })),
      checksums,
    },
  });
  const single = layout === 'single' ? headers[0] : undefined;
  return {
    secrets,
    envelope: sealFor(secrets, { layout, suite, segmentSizeBytes, ...(single && { floeHeader: single }) }),
    stored: Buffer.concat([...messages, contiguousRegion(region)]),
    plaintext: Buffer.concat(parts.map(({ plaintext }) => plaintext)),
  };
}

/** An envelope of the given fields for the secrets, the other fields being any. */
export function sealFor(
  secrets: ObjectSecrets,
  fields: Pick<Envelope, 'layout' | 'suite' | 'segmentSizeBytes' | 'floeHeader'>,
): Envelope {
  const { salt, commitment } = secrets;
  return sealEnvelope(
    {
      ...fields,
      salt,
      commitment,
      policy: 'default',
      kekName: 'local',
      kekVersion: '1',
      wrappedBucketKey: payload(60, 'wrapped bucket key'),
      wrappedDek: payload(60, 'wrapped DEK'),
    },
    { metadataDigest: payload(32, 'digest'), checksums: [] },
    secrets,
  );
}

/** An object of the single layout. */
export function single(lengthBytes: number, recipe: Omit<ObjectRecipe, 'parts'> = {}): StoredObject {
  return writeObject({ ...recipe, parts: [{ partNumber: 0, plaintext: payload(lengthBytes) }] });
}

/** A multipart object whose parts have these lengths, and the numbers 1, 3, 5, … */
export function multipart(lengths: readonly number[], recipe: Omit<ObjectRecipe, 'parts'> = {}): StoredObject {
  const parts = lengths.map((length, position) => ({
    partNumber: 2 * position + 1,
    plaintext: payload(length, `part ${position}`),
  }));
  return writeObject({ ...recipe, parts });
}

/** The index of an object, from all of its bytes. */
export function indexOf({ secrets, envelope, stored }: StoredObject): ObjectIndex {
  const { layout, segmentSizeBytes } = envelope;
  const index = openIndex({ secrets, layout, segmentSizeBytes, tail: stored, storedBytes: stored.length });
  assert.ok(!('needBytes' in index), 'the whole object is enough to open its index');
  return index;
}

/** Where an object's messages are, as a reader finds it out. */
export function layoutOf(object: StoredObject): ObjectLayout {
  const { segmentSizeBytes } = object.envelope;
  const index = indexOf(object);
  return object.envelope.layout === 'single'
    ? ObjectLayout.single({ plaintextBytes: index.totalPlaintextBytes, segmentSizeBytes })
    : ObjectLayout.multipart(index, segmentSizeBytes);
}

/** Plaintext of all of an object, whose bytes come as `ciphertext` or in chunks of `chunkBytes`. */
export function wholeStream(
  object: StoredObject,
  {
    layout,
    ciphertext,
    chunkBytes = unit,
  }: { layout?: ObjectLayout; ciphertext?: ByteStream; chunkBytes?: number } = {},
): ByteStream {
  const { secrets, envelope, stored } = object;
  const input = {
    secrets,
    envelope,
    storedBytes: stored.length,
    ciphertext: ciphertext ?? streamOf(stored, chunkBytes),
  };
  return envelope.layout === 'single'
    ? decryptWholeSingle(input)
    : decryptWholeMultipart({ ...input, layout: layout ?? layoutOf(object) });
}

/** All of an object's plaintext, its bytes given in chunks of `chunkBytes`. */
export async function readWhole(object: StoredObject, chunkBytes = unit): Promise<Buffer> {
  return collect(wholeStream(object, { chunkBytes }));
}

/** Plaintext from `first` to `last`, reading no stored byte but those that the plan names. */
export async function readRange(
  object: StoredObject,
  range: { readonly first: number; readonly last: number },
  { layout = layoutOf(object), chunkBytes = unit }: { layout?: ObjectLayout; chunkBytes?: number } = {},
): Promise<Buffer> {
  const { secrets, envelope, stored } = object;
  const plan = layout.locate(range);
  const offset = plan.headerNeeded?.storedOffset;
  return collect(
    decryptRange({
      secrets,
      envelope,
      layout,
      plan,
      ciphertext: streamOf(stored.subarray(plan.storedFirst, plan.storedLast + 1), chunkBytes),
      ...(offset === undefined ? {} : { firstHeader: stored.subarray(offset, offset + floeHeaderBytes) }),
    }),
  );
}

/** The same object with other stored bytes. */
export function withStored(object: StoredObject, ...bytes: readonly Uint8Array[]): StoredObject {
  return { ...object, stored: Buffer.concat(bytes) };
}

/** A copy with one bit the other way round. */
export function flipBit(bytes: Uint8Array, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return flipped;
}

/** Parts of an index with these lengths and the numbers 1, 2, … */
export function indexParts(lengths: readonly number[], firstNumber = 1): IndexPart[] {
  return lengths.map((plaintextBytes, position) => ({
    partNumber: firstNumber + position,
    plaintextBytes,
    attemptTag: payload(8, `tag ${position}`),
  }));
}

/** For assert.throws and assert.rejects: an EnvelopeError with one of the codes. */
export function envelopeError(...codes: readonly EnvelopeErrorCode[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof EnvelopeError, `not an EnvelopeError: ${String(error)}`);
    assert.ok(codes.includes(error.code), `${error.code} is none of ${codes.join(', ')}: ${error.message}`);
    return true;
  };
}

/** For large buffers, of which assert.deepEqual would print and compare every byte. */
export function assertSame(found: Uint8Array, expected: Uint8Array, message = 'other bytes'): void {
  assert.equal(found.length, expected.length, `${message}: another length`);
  assert.equal(Buffer.compare(found, expected), 0, message);
}
