import { streamOf } from '../../base/streams.ts';
import type { Envelope } from '../../envelope/envelope.ts';
import { EnvelopeError } from '../../envelope/envelope-error.ts';
import {
  decodeRecord,
  encodeRecord,
  maxRecordBytes,
  recordPath,
  verifyBeside,
  isOfSameObject,
} from '../../envelope/envelope-record.ts';
import { unwrapSecrets } from '../../envelope/wrapped-dek.ts';
import type { DataKeys } from '../../keys/data-keys.ts';
import { KeyError } from '../../keys/key-provider.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { readSmallObject } from '../../store/small-object.ts';

/** Where records are. */
export interface RecordPlace {
  readonly store: ObjectStore;
  readonly bucket: string;
  /** The gateway's own objects are below it; ends in `/`. */
  readonly reservedPrefix: string;
}

/** A version of an object. */
export interface VersionName {
  readonly key: string;
  readonly versionId: string;
}

/** The envelopes beside the versions of a bucket. */
export class EnvelopeRecords {
  readonly #place: RecordPlace;
  readonly #dataKeys: DataKeys;

  constructor(place: RecordPlace, dataKeys: DataKeys) {
    this.#place = place;
    this.#dataKeys = dataKeys;
  }

  /**
   * The envelope beside a version, once it was proven to open the object of `own`; undefined where there is none such.
   * @throws KeyError `unavailable`: then it is not known; S3Error.
   */
  async find({ key, versionId }: VersionName, own: Envelope, signal?: AbortSignal): Promise<Envelope | undefined> {
    const { store, bucket, reservedPrefix } = this.#place;
    const address = { bucket, key: `${reservedPrefix}${recordPath(key, versionId)}`, maxBytes: maxRecordBytes };
    const bytes = await readSmallObject(store, address, signal === undefined ? {} : { signal });
    if (bytes === undefined) return undefined;
    try {
      const { envelope } = decodeRecord(bytes);
      if (!isOfSameObject(own, envelope)) return undefined;
      using secrets = await unwrapSecrets(this.#dataKeys, { bucket, key }, envelope, signal);
      verifyBeside(own, envelope, secrets);
      return envelope;
    } catch (error) {
      // Whatever it is, it does not open the object: as if there were none.
      const isNone = error instanceof EnvelopeError || (error instanceof KeyError && error.code !== 'unavailable');
      if (isNone) return undefined;
      throw error;
    }
  }

  /** Writes the envelope beside a version, or replaces the one that is there. */
  async write(version: VersionName, envelope: Envelope, signal?: AbortSignal): Promise<void> {
    const { store, bucket, reservedPrefix } = this.#place;
    const { key, versionId } = version;
    const body = encodeRecord({ key, versionId, envelope });
    await store.putObject(
      {
        bucket,
        key: `${reservedPrefix}${recordPath(key, versionId)}`,
        headers: { 'content-type': 'application/json' },
        body: streamOf(body),
        lengthBytes: body.length,
      },
      signal === undefined ? {} : { signal },
    );
  }
}
