import { streamOf } from '../base/streams.ts';
import type { CanaryStore } from '../keys/canary.ts';
import { S3Error, s3Error } from '../s3/s3-error.ts';
import type { Conditions, ObjectStore } from '../store/object-store.ts';
import { readSmallObject } from '../store/small-object.ts';

const maxCanaryBytes = 4096;

/** Where the canaries of a backend are. */
export interface CanaryPlace {
  readonly store: ObjectStore;
  readonly bucket: string;
  /** The reserved prefix; ends in `/`. */
  readonly prefix: string;
}

/** Keeps key canaries beside the data that the keys protect: `<prefix>canary/<key name>` in one bucket. */
export function canaryStore({ store, bucket, prefix }: CanaryPlace): CanaryStore {
  const keyOf = (name: string): string => `${prefix}canary/${name}`;
  return {
    read(name) {
      return readSmallObject(store, { bucket, key: keyOf(name), maxBytes: maxCanaryBytes, tooLong: damaged });
    },
    async write(name, bytes, { replace }) {
      const put = (conditions: Conditions): Promise<unknown> =>
        store.putObject({
          bucket,
          key: keyOf(name),
          headers: { 'content-type': 'application/json' },
          body: streamOf(bytes),
          lengthBytes: bytes.length,
          conditions,
        });
      try {
        await put(replace ? {} : { ifNoneMatch: '*' });
      } catch (error) {
        if (replace || !(error instanceof S3Error)) throw error;
        // Another replica was first: its canary counts.
        if (error.code === 'PreconditionFailed') return;
        // It was read a moment ago and was not there; two replicas at once could only write the same key's.
        if (error.code !== 'NotImplemented') throw error;
        await put({});
      }
    },
  };
}

function damaged(): Error {
  return s3Error('InternalError', 'A key canary is damaged.');
}
