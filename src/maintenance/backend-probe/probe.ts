import { readAll, streamOf } from '../../base/streams.ts';
import { S3Error } from '../../s3/s3-error.ts';
import type {
  CallOptions,
  GetObjectRequest,
  Headers,
  ObjectStore,
  PutObjectRequest,
  UploadAddress,
} from '../../store/object-store.ts';

/** Longest body that a probe reads back. */
const maxBodyBytes = 32 * 1024 ** 2;

/** Where a probe works: everything it makes has a key under `prefix`. */
export interface ProbePlace {
  readonly store: ObjectStore;
  readonly bucket: string;
  /** Ends in `/`, or is empty in a bucket that is the probe's own. */
  readonly prefix: string;
  readonly signal: AbortSignal;
}

/** The backend took the request and did not do what it says: worse than a refusal. */
export class IgnoredError extends Error {}

/** The backend answered, and the answer is not S3's. */
export class DifferentError extends Error {}

/** The calls that most probes make, in one bucket. */
export class ProbeClient {
  readonly store: ObjectStore;
  readonly bucket: string;
  /** Uploads that were begun: what is not completed in the end has to be aborted. */
  readonly begun: UploadAddress[] = [];
  /** Keys that were written: a listing need not give all of them as they are. */
  readonly written = new Set<string>();
  readonly #place: ProbePlace;
  #signal: AbortSignal;

  constructor(place: ProbePlace) {
    this.store = place.store;
    this.bucket = place.bucket;
    this.#place = place;
    this.#signal = place.signal;
  }

  /** For every call: the probe's end ends it. */
  get options(): CallOptions {
    return { signal: this.#signal };
  }

  /** Runs one probe; its calls end after `timeoutMs`. */
  async within(timeoutMs: number, run: (client: ProbeClient) => Promise<void>): Promise<void> {
    const { signal } = this.#place;
    this.#signal = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      await run(this);
    } finally {
      this.#signal = signal;
    }
  }

  /** An address of the probe's own. */
  at(name: string): { readonly bucket: string; readonly key: string } {
    return { bucket: this.bucket, key: `${this.#place.prefix}${name}` };
  }

  /** Writes an object and gives its answer. */
  async put(
    name: string,
    content: string | Uint8Array,
    extra: Partial<Pick<PutObjectRequest, 'conditions' | 'headers'>> = {},
  ): Promise<{ readonly etag: string; readonly headers: Headers }> {
    const bytes = Buffer.from(content);
    this.written.add(this.at(name).key);
    const request = { ...this.at(name), headers: {}, ...extra, body: streamOf(bytes), lengthBytes: bytes.length };
    return await this.store.putObject(request, this.options);
  }

  /** Reads an object, or of it what the request asks for. */
  async get(
    name: string,
    extra: Omit<GetObjectRequest, 'bucket' | 'key'> = {},
  ): Promise<{ readonly bytes: Buffer; readonly etag: string; readonly headers: Headers }> {
    const found = await this.store.getObject({ ...this.at(name), ...extra }, this.options);
    const bytes = Buffer.from(
      await readAll(found.body, maxBodyBytes, () => new DifferentError('more bytes than stored')),
    );
    return { bytes, etag: found.etag, headers: found.headers };
  }
}

/** @throws DifferentError unless it holds. */
export function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new DifferentError(otherwise);
}

/**
 * Makes a call whose condition does not hold.
 * @throws IgnoredError where the backend does it nevertheless; S3Error where it refuses for another reason.
 */
export async function mustNotHold(condition: string, call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (error instanceof S3Error && (error.status === 412 || error.status === 304 || error.status === 409)) return;
    throw error;
  }
  throw new IgnoredError(`${condition} was ignored`);
}
