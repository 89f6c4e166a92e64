import type { SegmentPool } from '../crypto/pool/segment-pool.ts';
import type { DataKeys } from '../keys/data-keys.ts';
import type { Grant } from '../policy/grants.ts';
import type { Policy } from '../policy/policy.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import type { DecodedPayload } from '../s3/payload.ts';
import type { S3Error } from '../s3/s3-error.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { StoreQuirks } from '../store/quirks.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { UploadLedger } from '../uploads/upload-ledger.ts';
import type { ByteStream } from '../base/byte-stream.ts';
import type { CorsConfigurations } from './cors.ts';
import type { CanaryGuard } from './canary-guard.ts';
import type { EnvelopesBeside } from './envelope-beside.ts';
import type { LayoutCache } from './layout-cache.ts';
import type { KnownParts } from './known-parts.ts';
import type { FirstPartSizes } from './part-placement.ts';

/** A backend with what belongs to it. */
export interface Backend {
  readonly name: string;
  readonly store: ObjectStore;
  readonly quirks: StoreQuirks;
  readonly ledger: UploadLedger;
}

/** An access key that clients sign with. */
export interface AccessKey {
  readonly secretAccessKey: string;
  readonly allow: readonly Grant[];
}

/** What all operations share; made once in `src/wire/`. */
export interface Gateway {
  readonly backends: ReadonlyMap<string, Backend>;
  readonly accessKeys: ReadonlyMap<string, AccessKey>;
  readonly policies: PolicySet;
  readonly dataKeys: DataKeys;
  /** Threads that help with large bodies. */
  readonly segmentPool: SegmentPool;
  readonly canaries: CanaryGuard;
  readonly layouts: LayoutCache;
  readonly envelopesBeside: EnvelopesBeside;
  readonly knownParts: KnownParts;
  readonly firstPartSizes: FirstPartSizes;
  readonly cors: CorsConfigurations;
  readonly telemetry: Telemetry;
  /** Key prefix of the gateway's own objects, which clients neither see nor reach. */
  readonly reservedPrefix: string;
  /** A bucket that holds only the gateway's own objects, where one is configured. */
  readonly ledgerBucket?: string;
  /** Host names for virtual-hosted style. */
  readonly publicHosts: readonly string[];
  /** Whether a peer's `X-Forwarded-Host` and `X-Forwarded-Proto` are believed. */
  readonly trustsProxy: (remoteAddress: string) => boolean;
}

/** A request to the service: authenticated, its operation known. */
export interface ServiceRequest {
  readonly requestId: string;
  readonly accessKeyId: string;
  readonly grants: readonly Grant[];
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Decoded query parameters; none is given twice. */
  readonly query: ReadonlyMap<string, string>;
  /**
   * What stands before `/key` in URLs of the bucket as the client writes them: `https://s3.example.org/bucket`, or
   * `https://bucket.s3.example.org`.
   */
  readonly bucketUrl: string;
  readonly signal: AbortSignal;
  /** The body as an object's bytes, verified while it streams. */
  payload(): DecodedPayload;
  /** The body as a document of at most `maxBytes`, verified. */
  document(maxBytes: number): Promise<Uint8Array>;
}

/** A request to a bucket: allowed, its policy decided. */
export interface BucketRequest extends ServiceRequest {
  readonly bucket: string;
  readonly policy: Policy;
  readonly backend: Backend;
}

/** A request to an object. */
export interface ObjectRequest extends BucketRequest {
  readonly key: string;
}

/** What an operation answers; the pipeline writes it. Header names in lower case. */
export interface OperationResult {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | ByteStream;
  /** Where the body tells of a failure though the status is 200: the error, once the body has ended. */
  readonly lateFailure?: () => S3Error | undefined;
}

/** An XML answer. */
export function xmlResult(body: string, headers: Readonly<Record<string, string>> = {}): OperationResult {
  return { status: 200, headers: { ...headers, 'content-type': 'application/xml' }, body };
}
