/** Binary form of the envelope's fields before the sealed part (docs/format/format-1.md, section 7). */
import { floeHeaderBytes, type FloeSuite } from '../crypto/floe.ts';
import { EnvelopeError } from './envelope-error.ts';
import { malformed, u16, u8, type FieldReader } from './field-reader.ts';
import { commitmentBytes, saltBytes } from './object-secrets.ts';
import { segmentSizesBytes } from './sizes.ts';

/** What the envelope says in clear; all of it is authenticated. */
export interface EnvelopeFields {
  readonly suite: FloeSuite;
  /** Plaintext of a full segment: a power of two from 64 KiB to 1 MiB. */
  readonly segmentSizeBytes: number;
  readonly layout: 'single' | 'multipart';
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;
  /** Name of the policy when the bucket key was wrapped: part of its encryption context. At most 64 bytes. */
  readonly policy: string;
  /** At most 64 bytes of printable ASCII. */
  readonly kekName: string;
  /** At most 128 bytes of printable ASCII. */
  readonly kekVersion: string;
  /** At most 1 024 bytes. */
  readonly wrappedBucketKey: Uint8Array;
  /** 60 bytes. */
  readonly wrappedDek: Uint8Array;
  /** The bucket key, sealed for the recovery key; 88 bytes, missing where there was none. */
  readonly recovery?: Uint8Array;
  /** The message's header: in the single layout and only there. */
  readonly floeHeader?: Uint8Array;
}

const version = 1;
const suites: readonly FloeSuite[] = ['aes-256-gcm', 'chacha20-poly1305'];
/** The index in this list is a layout's id, here, in the index and in a message's AAD. */
export const layouts = ['single', 'multipart'] as const;
const smallestSegmentLog2 = 16;
const wrappedDekBytes = 60;
const recoveryBytes = 88;
const printable = /^[\x21-\x7e]+$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bounds of the variable fields (F1-ENV-3). */
const maxPolicyBytes = 64;
const maxKekNameBytes = 64;
const maxKekVersionBytes = 128;
const maxWrappedBucketKeyBytes = 1_024;

/**
 * The fields as they stand before the sealed part, which is also its AAD (F1-ENV-5).
 * @throws RangeError for a field that the format cannot hold.
 */
export function encodeFields(fields: EnvelopeFields): Uint8Array {
  const problem = fieldProblem(fields);
  if (problem !== undefined) throw new RangeError(problem);
  const policy = Buffer.from(fields.policy, 'utf8');
  const kekName = Buffer.from(fields.kekName, 'latin1');
  const kekVersion = Buffer.from(fields.kekVersion, 'latin1');
  return Buffer.concat([
    Buffer.of(version, suites.indexOf(fields.suite) + 1, Math.log2(fields.segmentSizeBytes)),
    u8(layouts.indexOf(fields.layout)),
    fields.salt,
    fields.commitment,
    u8(policy.length),
    policy,
    u8(kekName.length),
    kekName,
    u8(kekVersion.length),
    kekVersion,
    u16(fields.wrappedBucketKey.length),
    fields.wrappedBucketKey,
    fields.wrappedDek,
    u8(fields.recovery?.length ?? 0),
    ...(fields.recovery === undefined ? [] : [fields.recovery]),
    ...(fields.floeHeader === undefined ? [] : [fields.floeHeader]),
  ]);
}

/** Reads the fields; accepts nothing that `encodeFields` would not write. */
export function decodeFields(reader: FieldReader): EnvelopeFields {
  const { suite, segmentSizeBytes, layout } = decodeChoices(reader);
  const fields: EnvelopeFields = {
    suite,
    segmentSizeBytes,
    layout,
    salt: reader.bytes(saltBytes),
    commitment: reader.bytes(commitmentBytes),
    policy: decodeUtf8(reader.bytes(reader.u8())),
    kekName: decodeAscii(reader.bytes(reader.u8())),
    kekVersion: decodeAscii(reader.bytes(reader.u8())),
    wrappedBucketKey: reader.bytes(reader.u16()),
    wrappedDek: reader.bytes(wrappedDekBytes),
    ...decodeRecovery(reader),
    // F1-ENV-4
    ...(layout === 'single' ? { floeHeader: reader.bytes(floeHeaderBytes) } : {}),
  };
  const problem = fieldProblem(fields);
  if (problem !== undefined) throw malformed(problem);
  return fields;
}

function decodeRecovery(reader: FieldReader): Pick<EnvelopeFields, 'recovery'> {
  const lengthBytes = reader.u8();
  return lengthBytes === 0 ? {} : { recovery: reader.bytes(lengthBytes) };
}

/** The leading ids, unknown ones of which are refused (F1-ENV-2). */
function decodeChoices(reader: FieldReader): Pick<EnvelopeFields, 'suite' | 'segmentSizeBytes' | 'layout'> {
  const found = reader.u8();
  if (found !== version) throw unsupported(`version ${found}`);
  const suiteId = reader.u8();
  const sizeLog2 = reader.u8();
  const layoutId = reader.u8();
  const suite = suites[suiteId - 1];
  const segmentSizeBytes = segmentSizesBytes[sizeLog2 - smallestSegmentLog2];
  const layout = layouts[layoutId];
  if (suite === undefined) throw unsupported(`suite ${suiteId}`);
  if (segmentSizeBytes === undefined) throw unsupported(`segment size 2^${sizeLog2}`);
  if (layout === undefined) throw unsupported(`layout ${layoutId}`);
  return { suite, segmentSizeBytes, layout };
}

/** What has to hold of the fields, for writers and readers alike (F1-ENV-3, F1-ENV-4), and what is said where it does not. */
const rules: readonly (readonly [holds: (fields: EnvelopeFields) => boolean, otherwise: string])[] = [
  [({ suite }) => suites.includes(suite), 'unknown suite'],
  [
    ({ segmentSizeBytes }) => segmentSizesBytes.some((size) => size === segmentSizeBytes),
    'the segment size is not a choice',
  ],
  [({ salt }) => salt.length === saltBytes, 'the salt has another length'],
  [({ commitment }) => commitment.length === commitmentBytes, 'the commitment has another length'],
  [
    ({ policy }) => within(Buffer.byteLength(policy, 'utf8'), maxPolicyBytes) && policy.isWellFormed(),
    'the policy name is out of bounds',
  ],
  [
    ({ kekName }) => within(kekName.length, maxKekNameBytes) && printable.test(kekName),
    'the KEK name is out of bounds',
  ],
  [
    ({ kekVersion }) => within(kekVersion.length, maxKekVersionBytes) && printable.test(kekVersion),
    'the KEK version is out of bounds',
  ],
  [
    ({ wrappedBucketKey }) => within(wrappedBucketKey.length, maxWrappedBucketKeyBytes),
    'the wrapped bucket key is out of bounds',
  ],
  [({ wrappedDek }) => wrappedDek.length === wrappedDekBytes, 'the wrapped DEK has another length'],
  [({ recovery }) => (recovery?.length ?? recoveryBytes) === recoveryBytes, 'the recovery field has another length'],
  [
    ({ floeHeader, layout }) => floeHeader?.length === (layout === 'single' ? floeHeaderBytes : undefined),
    'the FLOE header belongs to the single layout and has 74 bytes',
  ],
];

function fieldProblem(fields: EnvelopeFields): string | undefined {
  return rules.find(([holds]) => !holds(fields))?.[1];
}

function within(length: number, maximum: number): boolean {
  return length >= 1 && length <= maximum;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw malformed('the policy name is not UTF-8');
  }
}

/** One character per byte; `fieldProblem` refuses what is not printable ASCII. */
function decodeAscii(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function unsupported(what: string): EnvelopeError {
  return new EnvelopeError('unsupported', `${what} of the envelope is not known`);
}
