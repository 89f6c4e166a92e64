import { randomBytes } from 'node:crypto';

import { S3Error } from '../../s3/s3-error.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import * as buckets from './bucket-probes.ts';
import type { CapabilityName } from './capabilities.ts';
import { removeAll } from './clean-up.ts';
import * as conditions from './condition-probes.ts';
import * as objects from './object-probes.ts';
import { DifferentError, IgnoredError, ProbeClient } from './probe.ts';
import * as uploads from './upload-probes.ts';

/** `ignored`: the backend took the request and did not do what it says. `unknown`: it was not tried. */
export type ProbeOutcome = 'works' | 'lacks' | 'ignored' | 'unknown';

/** What is known of one capability. */
export interface Finding {
  readonly capability: CapabilityName;
  readonly outcome: ProbeOutcome;
  /** Where it does not work. */
  readonly reason?: string;
}

/** What is known of a backend. */
export interface BackendReport {
  readonly findings: readonly Finding[];
  /** What could not be removed again, and why. */
  readonly leftovers: readonly string[];
}

/** What is probed, and where. */
export interface BackendProbe {
  readonly store: ObjectStore;
  /** A bucket to work in, below a prefix of the probe's own; else buckets are made and removed again. */
  readonly bucket?: string;
  /** The reserved prefix of the gateway; ends in `/`. */
  readonly reservedPrefix: string;
  /** Region of the buckets that are made, where the backend wants it. */
  readonly locationConstraint?: string;
  /** Ends the probe; what it made is removed nevertheless. */
  readonly signal: AbortSignal;
  readonly onFinding?: (finding: Finding) => void;
}

type Run = (client: ProbeClient) => Promise<void>;

const probeTimeoutMs = 60_000;
const cleanUpTimeoutMs = 60_000;

const inAnyBucket: readonly (readonly [CapabilityName, Run])[] = [
  ['objects', objects.probeObjects],
  ['rangeReads', objects.probeRanges],
  ['conditionalReads', conditions.probeConditionalReads],
  ['listings', objects.probeListings],
  ['markerPages', objects.probeMarkerPages],
  ['multipleDeletes', objects.probeMultipleDeletes],
  ['multipart', uploads.probeMultipart],
  ['partsOfAnySize', uploads.probePartsOfAnySize],
  ['partNumberReads', uploads.probePartNumberReads],
  ['copies', objects.probeCopies],
  ['selfCopies', objects.probeSelfCopies],
  ['partCopies', uploads.probePartCopies],
  ['conditionalCopySources', conditions.probeConditionalCopySources],
  ['conditionalCreations', conditions.probeConditionalCreations],
  ['conditionalReplacements', conditions.probeConditionalReplacements],
  ['conditionalCopies', conditions.probeConditionalCopies],
  ['conditionalCompletions', conditions.probeConditionalCompletions],
  ['conditionalDeletes', conditions.probeConditionalDeletes],
  ['tagging', objects.probeTagging],
  ['checksums', objects.probeChecksums],
  ['doubleSlashKeys', objects.keyProbe('keys/a//b', 'keys/a/b')],
  ['dotKeys', objects.keyProbe('keys/a/./../b', 'keys/b')],
  ['slashKeys', objects.keyProbe('keys/folder/', 'keys/folder')],
  ['controlCharacterKeys', objects.keyProbe('keys/\u0001\n\t', 'keys/plain')],
];

/** They change settings of a bucket, so they run only in buckets of the probe's own; those of one row share one. */
const inOwnBucket: readonly (readonly (readonly [CapabilityName, Run])[])[] = [
  [
    ['cors', buckets.probeCors],
    ['lifecycle', buckets.probeLifecycle],
    ['bucketPolicies', buckets.probeBucketPolicies],
  ],
  [['versions', buckets.probeVersions]],
  [['objectLock', buckets.probeObjectLock]],
];

/**
 * Finds out by real requests what a backend can do. Everything that it makes is removed again, whether the probe ends,
 * fails or is stopped.
 * @throws S3Error where the backend cannot be used at all.
 */
export async function probeBackend(probe: BackendProbe): Promise<BackendReport> {
  const session = new Session(probe);
  const findings: Finding[] = [];
  try {
    for await (const finding of session.run()) {
      probe.onFinding?.(finding);
      findings.push(finding);
    }
  } catch (error) {
    await session.cleanUp();
    if (session.leftovers.length === 0) throw error;
    throw new Error(`left behind: ${session.leftovers.join('; ')}`, { cause: error });
  }
  await session.cleanUp();
  return { findings, leftovers: session.leftovers };
}

class Session {
  readonly leftovers: string[] = [];
  readonly #probe: BackendProbe;
  readonly #id = randomBytes(6).toString('hex');
  readonly #made: { readonly client: ProbeClient; readonly prefix: string; readonly own: boolean }[] = [];

  constructor(probe: BackendProbe) {
    this.#probe = probe;
  }

  async *run(): AsyncGenerator<Finding> {
    const { bucket, store } = this.#probe;
    if (bucket === undefined) {
      const main = await this.#makeBucket('main');
      yield { capability: 'bucketCreation', outcome: 'works' };
      yield* this.#runAll(main, inAnyBucket);
      for (const [index, row] of inOwnBucket.entries()) yield* this.#inBucketOfItsOwn(`own-${index}`, row);
      return;
    }
    await store.headBucket(bucket, { signal: this.#probe.signal });
    yield { capability: 'bucketCreation', outcome: 'unknown' };
    yield* this.#runAll(this.#enter(bucket, `${this.#probe.reservedPrefix}doctor/${this.#id}/`, false), inAnyBucket);
    for (const [capability] of inOwnBucket.flat()) yield { capability, outcome: 'unknown' };
  }

  async cleanUp(): Promise<void> {
    const signal = AbortSignal.timeout(cleanUpTimeoutMs);
    for (const place of this.#made) this.leftovers.push(...(await removeAll({ ...place, signal })));
  }

  async *#inBucketOfItsOwn(name: string, row: readonly (readonly [CapabilityName, Run])[]): AsyncGenerator<Finding> {
    const locked = row.some(([capability]) => capability === 'objectLock');
    try {
      yield* this.#runAll(await this.#makeBucket(name, locked), row);
    } catch (error) {
      this.#probe.signal.throwIfAborted();
      for (const [capability] of row) yield failed(capability, error);
    }
  }

  async #makeBucket(name: string, locked = false): Promise<ProbeClient> {
    const { store, signal, locationConstraint } = this.#probe;
    const bucket = `s3eg-doctor-${this.#id}-${name}`;
    const headers = locked ? { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } } : {};
    // Before the call: a bucket may be there though its answer was lost.
    const client = this.#enter(bucket, '', true);
    await store.createBucket(
      bucket,
      { ...headers, ...(locationConstraint === undefined ? {} : { locationConstraint }) },
      { signal },
    );
    return client;
  }

  #enter(bucket: string, prefix: string, own: boolean): ProbeClient {
    const { store, signal } = this.#probe;
    const client = new ProbeClient({ store, bucket, prefix, signal });
    this.#made.push({ client, prefix, own });
    return client;
  }

  async *#runAll(client: ProbeClient, probes: readonly (readonly [CapabilityName, Run])[]): AsyncGenerator<Finding> {
    for (const [capability, run] of probes) yield await this.#runOne(client, capability, run);
  }

  async #runOne(client: ProbeClient, capability: CapabilityName, run: Run): Promise<Finding> {
    try {
      await client.within(probeTimeoutMs, run);
      return { capability, outcome: 'works' };
    } catch (error) {
      this.#probe.signal.throwIfAborted();
      return failed(capability, error);
    }
  }
}

function failed(capability: CapabilityName, error: unknown): Finding {
  if (error instanceof IgnoredError) return { capability, outcome: 'ignored', reason: error.message };
  if (error instanceof DifferentError) return { capability, outcome: 'lacks', reason: error.message };
  if (error instanceof S3Error) return { capability, outcome: 'lacks', reason: `${error.status} ${error.code}` };
  throw error;
}
