import { systemClock, type Clock } from '../base/clock.ts';
import { readAll, streamOf } from '../base/streams.ts';
import type { DueRotation, LeaseState, RotationLease } from '../keys/rotation-scheduler.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { Conditions, ObjectStore } from '../store/object-store.ts';

const maxLeaseBytes = 4096;

/** Where leases are kept. */
export interface StoreRotationLeaseOptions {
  readonly store: ObjectStore;
  /** A bucket of the gateway's own; else the first of all buckets, which is the same for every replica. */
  readonly bucket?: string;
  /** The reserved prefix; ends in `/`. */
  readonly prefix: string;
  readonly clock?: Clock;
}

interface StoredLease {
  readonly etag: string;
  readonly claimedMs: number;
  /** Current version when it was claimed. */
  readonly from: string | undefined;
  readonly isDone: boolean;
}

/**
 * Replicas agree by an object per time of the schedule, `<prefix>rotation/<key>/<time>`: whoever makes it has the rotation, by
 * the store's own conditional write. The object stays, and says what became of it.
 */
export class StoreRotationLease implements RotationLease {
  readonly #options: StoreRotationLeaseOptions;
  readonly #clock: Clock;

  constructor(options: StoreRotationLeaseOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  async claim(
    due: DueRotation,
    { leaseMs, current }: { readonly leaseMs: number; readonly current: string },
  ): Promise<LeaseState> {
    const from = { from: current };
    if (await this.#write(due, { ifNoneMatch: '*' }, from)) return 'claimed';
    const lease = await this.#read(due);
    // Whoever had it may have gone between the rotation and saying so: it is not made again.
    if (lease.isDone || (lease.from !== undefined && lease.from !== current)) return 'done';
    if (this.#clock.now() - lease.claimedMs < leaseMs) return 'taken';
    // Of those who find it abandoned at once one replaces this very state of it.
    return (await this.#write(due, { ifMatch: lease.etag }, from)) ? 'claimed' : 'taken';
  }

  async finish(due: DueRotation, version: string): Promise<void> {
    await this.#write(due, {}, { made: version });
  }

  /** False where the condition does not hold. */
  async #write(
    due: DueRotation,
    conditions: Conditions,
    fields: { readonly from: string } | { readonly made: string },
  ): Promise<boolean> {
    const lease = { version: 1, claimedMs: this.#clock.now(), ...fields };
    const body = Buffer.from(`${JSON.stringify(lease)}\n`);
    try {
      await this.#options.store.putObject({
        ...(await this.#address(due)),
        headers: { 'content-type': 'application/json' },
        conditions,
        body: streamOf(body),
        lengthBytes: body.length,
      });
      return true;
    } catch (error) {
      if (error instanceof S3Error && (error.code === 'PreconditionFailed' || error.status === 409)) return false;
      throw error;
    }
  }

  async #read(due: DueRotation): Promise<StoredLease> {
    const { body, etag } = await this.#options.store.getObject(await this.#address(due));
    const bytes = await readAll(body, maxLeaseBytes, () => s3Error('InternalError', 'A rotation lease is damaged.'));
    const lease: { readonly claimedMs?: unknown; readonly from?: unknown; readonly made?: unknown } = JSON.parse(
      Buffer.from(bytes).toString(),
    );
    // One that says no time is nobody's.
    const claimedMs = typeof lease.claimedMs === 'number' ? lease.claimedMs : 0;
    const from = typeof lease.from === 'string' ? lease.from : undefined;
    return { etag, claimedMs, from, isDone: lease.made !== undefined };
  }

  async #address({ keyName, dueMs }: DueRotation): Promise<{ readonly bucket: string; readonly key: string }> {
    const { bucket = await this.#firstBucket(), prefix } = this.#options;
    return { bucket, key: `${prefix}rotation/${keyName}/${new Date(dueMs).toISOString()}` };
  }

  async #firstBucket(): Promise<string> {
    const names = (await this.#options.store.listBuckets()).map(({ name }) => name).toSorted();
    const [first] = names;
    if (first === undefined) throw s3Error('NoSuchBucket', 'There is no bucket yet, and nothing under the key.');
    return first;
  }
}
