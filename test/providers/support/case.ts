/** What users do with a bucket, as cases that every provider is tried with. */
import assert from 'node:assert/strict';

import { randomBytesOf } from '../../interop/support/plaintext.ts';
import { S3CallError, type S3Client } from '../../interop/support/s3-client.ts';
import type { Mode } from './gateway.ts';
import type { CapabilityName } from './provider-file.ts';

/** Where a case runs. */
export interface Place {
  /** boto3 at the gateway. */
  readonly client: S3Client;
  /** A bucket that all cases share. */
  readonly bucket: string;
  readonly mode: Mode;
  /** Makes a bucket that no other case uses. */
  readonly freshBucket: (options?: object) => Promise<string>;
}

/** One thing that users do. */
export interface Case {
  readonly name: string;
  /** Capabilities of the provider without which it cannot work. */
  readonly needs?: readonly CapabilityName[];
  /** Further ones where the gateway does not encrypt: for encrypted objects it answers itself. */
  readonly needsInClear?: readonly CapabilityName[];
  /** Further ones where it does. */
  readonly needsEncrypted?: readonly CapabilityName[];
  /** Where it is about one mode only. */
  readonly mode?: Mode;
  /** The write whose conditions it is about: where the provider is said to ignore them, it has to be refused with 501. */
  readonly operation?: string;
  readonly run: (place: Place) => Promise<void>;
}

/** The capabilities that a case needs in a mode. */
export function needsOf({ needs = [], needsInClear = [], needsEncrypted = [] }: Case, mode: Mode): readonly string[] {
  return [...needs, ...(mode === 'off' ? needsInClear : needsEncrypted)];
}

/** Fails unless the call is refused with this code and status. */
export async function refused(call: Promise<unknown>, code: string, status: number): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    if (error instanceof S3CallError && error.code === code && error.status === status) return true;
    // As it is: whoever expects another refusal wants to see it.
    throw error;
  });
}

let taken = 0;

/** Random bytes that no other call gives. */
export function fresh(lengthBytes: number): Buffer {
  return randomBytesOf(`provider content ${taken++}`, lengthBytes);
}
