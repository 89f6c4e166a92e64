import { createHash } from 'node:crypto';

import type { ByteStream } from '../../base/byte-stream.ts';
import { readAll, streamOf } from '../../base/streams.ts';
import { parseChecksumAlgorithm } from '../../s3/checksum.ts';
import { S3Error, s3Error } from '../../s3/s3-error.ts';
import type { CallOptions, ListedObject, ObjectStore, UploadAddress } from '../../store/object-store.ts';
import type { StagedPart, StageRequest, UploadChecksum, UploadLedger, UploadRecord } from '../upload-ledger.ts';

/** Where the ledger keeps its objects. */
export interface StoreLedgerOptions {
  /** Key prefix that clients neither see nor reach; ends in `/`. */
  readonly prefix: string;
  /** A bucket for all uploads; else each upload's own bucket. */
  readonly bucket?: string;
}

/** What the name of a staged object says. */
type StagedName = Pick<StagedPart, 'partNumber' | 'attemptTag' | 'plaintextBytes'>;

const maxRecordBytes = 16 * 1024;
const maxCachedRecords = 4096;
const maxPartNumber = 10_000;
/** Attempts that are looked through: S3's 10 000 parts, each uploaded twice. */
const maxStagedAttempts = 20_000;
const partPattern = /^part-(\d{5})-([0-9a-f]{16})-(\d{1,10})$/;

/**
 * The ledger in the backend itself, so that multipart needs no other service:
 * `<prefix>uploads/<id>/record` and `<prefix>uploads/<id>/part-<number>-<attempt tag>-<plaintext bytes>`, where the id is a
 * hash of bucket, key and upload id. Records never change, so they are cached.
 */
export class StoreLedger implements UploadLedger {
  readonly #store: ObjectStore;
  readonly #options: StoreLedgerOptions;
  /** By record key, oldest use first. */
  readonly #records = new Map<string, UploadRecord>();

  constructor(store: ObjectStore, options: StoreLedgerOptions) {
    this.#store = store;
    this.#options = options;
  }

  async record(address: UploadAddress, record: UploadRecord, options: CallOptions = {}): Promise<void> {
    const bytes = Buffer.from(JSON.stringify({ version: 1, envelope: record.envelope, checksum: record.checksum }));
    const key = `${this.#folder(address)}record`;
    await this.#store.putObject(
      {
        bucket: this.#bucket(address),
        key,
        headers: { 'content-type': 'application/json' },
        body: streamOf(bytes),
        lengthBytes: bytes.length,
      },
      options,
    );
    this.#remember(key, record);
  }

  async find(address: UploadAddress, options: CallOptions = {}): Promise<UploadRecord | undefined> {
    const key = `${this.#folder(address)}record`;
    const cached = this.#records.get(key);
    if (cached !== undefined) {
      this.#remember(key, cached);
      return cached;
    }
    const bytes = await this.#read(this.#bucket(address), key, options);
    if (bytes === undefined) return undefined;
    const record = parseRecord(bytes);
    this.#remember(key, record);
    return record;
  }

  async stagePart(
    address: UploadAddress,
    request: StageRequest,
    options: CallOptions = {},
  ): Promise<{ readonly etag: string }> {
    const { etag } = await this.#store.putObject(
      {
        bucket: this.#bucket(address),
        key: `${this.#folder(address)}${partName(request)}`,
        headers: { 'content-type': 'application/octet-stream' },
        body: request.body,
        lengthBytes: request.lengthBytes,
      },
      options,
    );
    return { etag };
  }

  async stagedParts(address: UploadAddress, options: CallOptions = {}): Promise<readonly StagedPart[]> {
    const folder = this.#folder(address);
    const parts: StagedPart[] = [];
    let seen = 0;
    for await (const page of this.#pages(address, `${folder}part-`, options)) {
      parts.push(...page.map((object) => stagedPart(folder, object)).filter((part) => part !== undefined));
      seen += page.length;
      if (seen > maxStagedAttempts) throw tooManyAttempts();
    }
    return parts;
  }

  async readStagedPart(address: UploadAddress, part: StagedPart, options: CallOptions = {}): Promise<ByteStream> {
    const key = `${this.#folder(address)}${partName(part)}`;
    try {
      const stored = await this.#store.getObject(
        { bucket: this.#bucket(address), key, conditions: { ifMatch: part.etag } },
        options,
      );
      return stored.body;
    } catch (error) {
      throw whyNoPart(error, part);
    }
  }

  async remove(address: UploadAddress, options: CallOptions = {}): Promise<void> {
    const folder = this.#folder(address);
    this.#records.delete(`${folder}record`);
    const bucket = this.#bucket(address);
    for await (const page of this.#pages(address, `${folder}part-`, options)) {
      for (const { key } of page) await this.#store.deleteObject({ bucket, key }, options);
    }
    // The record goes last: as long as it is there, `s3eg gc` and Abort find what is left.
    await this.#store.deleteObject({ bucket, key: `${folder}record` }, options);
  }

  #bucket(address: UploadAddress): string {
    return this.#options.bucket ?? address.bucket;
  }

  #folder({ bucket, key, uploadId }: UploadAddress): string {
    const id = createHash('sha256')
      .update(JSON.stringify([bucket, key, uploadId]))
      .digest('hex')
      .slice(0, 40);
    return `${this.#options.prefix}uploads/${id}/`;
  }

  #remember(key: string, record: UploadRecord): void {
    this.#records.delete(key);
    this.#records.set(key, record);
    const [oldest] = this.#records.keys();
    if (this.#records.size > maxCachedRecords && oldest !== undefined) this.#records.delete(oldest);
  }

  /** Page by page, each asked for behind the last key of the one before: also where that one was deleted since. */
  async *#pages(
    address: UploadAddress,
    prefix: string,
    options: CallOptions,
  ): AsyncGenerator<readonly ListedObject[], void, undefined> {
    const bucket = this.#bucket(address);
    let startAfter: string | undefined;
    do {
      const start = startAfter === undefined ? {} : { startAfter };
      const page = await this.#store.listObjects({ bucket, prefix, version: 2, ...start }, options);
      yield page.objects;
      startAfter = page.isTruncated ? page.objects.at(-1)?.key : undefined;
    } while (startAfter !== undefined);
  }

  async #read(bucket: string, key: string, options: CallOptions): Promise<Uint8Array | undefined> {
    try {
      const stored = await this.#store.getObject({ bucket, key }, options);
      return await readAll(stored.body, maxRecordBytes, damaged);
    } catch (error) {
      if (error instanceof S3Error && (error.code === 'NoSuchKey' || error.code === 'NoSuchBucket')) return undefined;
      throw error;
    }
  }
}

function parseRecord(bytes: Uint8Array): UploadRecord {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null && 'version' in parsed && 'envelope' in parsed) {
      const { version, envelope } = parsed;
      if (version === 1 && typeof envelope === 'string') return { envelope, ...recordedChecksum(parsed) };
    }
  } catch {
    // Not kept as the cause: the engine's message quotes the record.
  }
  throw damaged();
}

function damaged(): S3Error {
  return s3Error('InternalError', 'An upload record is damaged.');
}

function tooManyAttempts(): S3Error {
  return s3Error(
    'InvalidRequest',
    `The upload has more than ${maxStagedAttempts} attempts of parts below 5 MiB. Abort it and upload larger parts.`,
  );
}

/** A part that was listed a moment ago is not there: the upload is over, or somebody has put other bytes in its place. */
function whyNoPart(error: unknown, { partNumber }: StagedPart): unknown {
  if (!(error instanceof S3Error)) return error;
  if (error.code === 'NoSuchKey') return s3Error('NoSuchUpload', undefined, { cause: error });
  if (error.code !== 'PreconditionFailed') return error;
  return s3Error('InvalidPart', undefined, { cause: error, details: { PartNumber: String(partNumber) } });
}

function partName({ partNumber, attemptTag, plaintextBytes }: StagedName): string {
  return `part-${String(partNumber).padStart(5, '0')}-${attemptTag}-${plaintextBytes}`;
}

/** Records of earlier releases have none. */
function recordedChecksum(parsed: object): { readonly checksum?: UploadChecksum } {
  if (!('checksum' in parsed)) return {};
  const { checksum } = parsed;
  if (typeof checksum === 'object' && checksum !== null && 'algorithm' in checksum && 'type' in checksum) {
    const { algorithm: name, type } = checksum;
    const algorithm = typeof name === 'string' ? parseChecksumAlgorithm(name) : undefined;
    if (algorithm !== undefined && (type === 'COMPOSITE' || type === 'FULL_OBJECT')) {
      return { checksum: { algorithm, type } };
    }
  }
  throw s3Error('InternalError', 'An upload record is damaged.');
}

/** What a listed object says of its part; undefined for a name that `partName` does not give, which could not be read. */
function stagedPart(folder: string, { key, sizeBytes, etag, lastModified }: ListedObject): StagedPart | undefined {
  const name = key.slice(folder.length);
  const [, number = '', attemptTag = '', plaintextBytes = ''] = partPattern.exec(name) ?? [];
  const named = { partNumber: Number(number), attemptTag, plaintextBytes: Number(plaintextBytes) };
  if (partName(named) !== name || named.partNumber < 1 || named.partNumber > maxPartNumber) return undefined;
  return { ...named, sizeBytes, etag, lastModified };
}
