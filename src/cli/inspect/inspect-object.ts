import { floeHeaderBytes, FloeError, readFloeParameters } from '../../crypto/floe-header.ts';
import { keyLabel, keyLabelHeader, type Envelope, type SealedChecksum } from '../../envelope/envelope.ts';
import { EnvelopeError } from '../../envelope/envelope-error.ts';
import { plaintextSize } from '../../envelope/sizes.ts';
import { KeyError } from '../../keys/key-provider.ts';
import { envelopeOf, StoredObject } from '../../maintenance/stored-object.ts';
import { compareMetadata, type MetadataOutcome } from '../offline/decrypt-object.ts';
import { failureMessage } from '../offline/failure.ts';
import { FileBytes } from '../offline/file-bytes.ts';
import { envelopeOnly, MetadataError, parseMetadata, type StoredMetadata } from '../offline/metadata-document.ts';
import type { ObjectPlace } from '../../envelope/wrapped-dek.ts';
import type { ObjectKeys } from '../offline/offline-keys.ts';
import { readSmallFile } from '../offline/small-file.ts';
import { sidecarSuffix } from '../offline/tree.ts';

/** What to look at: a stored object, its metadata, or both. */
export interface InspectTarget {
  /** A stored object, or a metadata document. */
  readonly file?: string;
  readonly metadata?: string;
  readonly metadataValue?: string;
}

/** What opens an object. */
export interface Unlock {
  readonly place: ObjectPlace;
  readonly keys: ObjectKeys;
}

/** The envelope's fields that mean something to people. */
export interface EnvelopeReport {
  readonly version: 1;
  readonly suite: Envelope['suite'];
  readonly segmentSizeBytes: number;
  readonly layout: Envelope['layout'];
  readonly policy: string;
  readonly kekName: string;
  readonly kekVersion: string;
  /** Id of the recovery key that opens it too. */
  readonly recoveryKey?: string;
}

/** What is sealed, after it was authenticated. */
export interface SealedReport {
  readonly metadata: MetadataOutcome;
  readonly compression?: 'gzip' | 'zstd';
  readonly plaintextBytes: number;
  readonly checksums: readonly { readonly algorithm: string; readonly type: string; readonly base64: string }[];
  readonly parts: readonly PartReport[];
}

interface PartReport {
  /** 0 in the single layout. */
  readonly partNumber: number;
  readonly plaintextBytes: number;
  readonly storedOffset: number;
  readonly storedBytes: number;
}

/** What was found. */
export interface ObjectReport {
  readonly file?: string;
  readonly storedBytes?: number;
  /** Length of the payload by the stored length alone. */
  readonly payloadBytes?: number;
  /** What the first bytes of the object say; not authenticated. */
  readonly firstMessage?: { readonly suite: string; readonly segmentSizeBytes: number };
  /** Not authenticated, unless `sealed` is there. */
  readonly envelope?: EnvelopeReport;
  readonly sealed?: SealedReport;
  readonly problems: readonly string[];
}

/** Looks at one object; what is wrong with it is part of the report. @throws the system's error. */
export async function inspectObject(target: InspectTarget, unlock: Unlock | undefined): Promise<ObjectReport> {
  const problems: string[] = [];
  const { file } = target;
  const document = file === undefined || target.metadata !== undefined ? undefined : await metadataDocument(file);
  if (file === undefined || document !== undefined) {
    const metadata = document ?? (await metadataOf(target, problems));
    if (unlock !== undefined) problems.push('what is sealed is in the object: give its file too');
    const size = metadata?.storedBytes === undefined ? {} : describeSize(metadata.storedBytes, problems);
    return { ...named(file), ...size, ...describeEnvelope(metadata, problems), problems };
  }
  await using bytes = await FileBytes.open(file);
  const metadata = await metadataOf(target, problems);
  return {
    ...named(file),
    ...(await describeBytes(bytes, problems)),
    ...describeEnvelope(metadata, problems),
    ...(await describeSealed(bytes, { metadata, unlock, problems })),
    problems,
  };
}

function named(file: string | undefined): { readonly file?: string } {
  return file === undefined ? {} : { file };
}

/** The document, where the file is one; an object of format 1 begins with the id of its cipher, as no text does. */
async function metadataDocument(file: string): Promise<StoredMetadata | undefined> {
  await using bytes = await FileBytes.open(file);
  const [first] = await bytes.read(0, 1);
  if (first === undefined || first === 0 || first === 0x80) return undefined;
  try {
    return parseMetadata(await readSmallFile(file));
  } catch (error) {
    if (error instanceof MetadataError) return undefined;
    throw error;
  }
}

async function metadataOf(target: InspectTarget, problems: string[]): Promise<StoredMetadata | undefined> {
  if (target.metadataValue !== undefined) return envelopeOnly(target.metadataValue);
  const path = target.metadata ?? `${target.file ?? ''}${sidecarSuffix}`;
  try {
    return parseMetadata(await readSmallFile(path));
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isMissing && target.metadata === undefined) return undefined;
    if (!(error instanceof MetadataError)) throw error;
    problems.push(`${path}: ${error.message}`);
    return undefined;
  }
}

/** What the length alone says. */
function describeSize(
  storedBytes: number,
  problems: string[],
): { readonly storedBytes: number; readonly payloadBytes?: number } {
  const payloadBytes = plaintextSize(storedBytes);
  if (payloadBytes !== undefined) return { storedBytes, payloadBytes };
  problems.push(`no object of format 1 has ${storedBytes} bytes: it was cut, changed or never encrypted`);
  return { storedBytes };
}

async function describeBytes(bytes: FileBytes, problems: string[]): Promise<Partial<ObjectReport>> {
  const size = describeSize(bytes.sizeBytes, problems);
  if (size.payloadBytes === undefined) return size;
  try {
    const { suite, segmentSizeBytes } = readFloeParameters(await bytes.read(0, floeHeaderBytes));
    return { ...size, firstMessage: { suite, segmentSizeBytes } };
  } catch (error) {
    if (!(error instanceof FloeError)) throw error;
    problems.push('it does not begin as an object of format 1 does');
    return size;
  }
}

function describeEnvelope(metadata: StoredMetadata | undefined, problems: string[]): Partial<ObjectReport> {
  if (metadata === undefined) return {};
  try {
    const envelope = envelopeOf(metadata.headers);
    const label = metadata.headers[keyLabelHeader];
    if (label !== undefined && label !== keyLabel(envelope)) {
      problems.push(`${keyLabelHeader} says ${label}, but the envelope, which decides, ${keyLabel(envelope)}`);
    }
    const { suite, segmentSizeBytes, layout, policy, kekName, kekVersion, recovery } = envelope;
    const recoveryKey = recovery && { recoveryKey: Buffer.from(recovery.subarray(0, 8)).toString('hex') };
    return { envelope: { version: 1, suite, segmentSizeBytes, layout, policy, kekName, kekVersion, ...recoveryKey } };
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error;
    problems.push(error.message);
    return {};
  }
}

interface SealedInput {
  readonly metadata: StoredMetadata | undefined;
  readonly unlock: Unlock | undefined;
  readonly problems: string[];
}

async function describeSealed(bytes: FileBytes, input: SealedInput): Promise<Partial<ObjectReport>> {
  const { metadata, unlock, problems } = input;
  if (unlock === undefined) return {};
  if (metadata === undefined) {
    problems.push('without its metadata nothing can be opened');
    return {};
  }
  try {
    const unwrap = (envelope: Envelope) => unlock.keys.unwrap(envelope, unlock.place);
    using object = await StoredObject.open({ headers: metadata.headers, bytes, unwrap });
    const outcome = compareMetadata(metadata, object.metadata);
    if (outcome === 'differs') problems.push('user metadata or Content-Type is not what was stored');
    return { sealed: sealedReport(object, outcome) };
  } catch (error) {
    if (!(error instanceof EnvelopeError || error instanceof KeyError)) throw error;
    problems.push(failureMessage(error));
    return {};
  }
}

function sealedReport(object: StoredObject, metadata: MetadataOutcome): SealedReport {
  const { compression } = object.metadata;
  return {
    metadata,
    ...(compression === undefined ? {} : { compression: compression.algorithm }),
    plaintextBytes: object.plaintextBytes,
    checksums: object.checksums.map(checksumReport),
    parts: object.layout.parts.map(({ partNumber, plaintextBytes, storedOffset, storedBytes }) => {
      return { partNumber, plaintextBytes, storedOffset, storedBytes };
    }),
  };
}

function checksumReport({ algorithm, type, value }: SealedChecksum): SealedReport['checksums'][number] {
  return { algorithm, type, base64: Buffer.from(value).toString('base64') };
}
