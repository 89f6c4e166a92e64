/** A run of neighbouring segments that is encrypted or decrypted in one go, by the event loop or by a thread. */
import type { KeyObject } from 'node:crypto';

import { free } from '../../base/chunk-memory.ts';
import { aeadIvBytes } from '../aead.ts';
import { FloeError, floeSegmentOverheadBytes, type FloeSuite } from '../floe-header.ts';
import { cut, invalidSegment, openSegment, sealSegment, type OpenTask, type SealTask } from '../floe-segment.ts';

/**
 * Neighbouring segments, and what to do with them. It is flat, as posting it costs by its fields. Each piece is alone in its
 * memory, which goes with the job.
 */
export interface SegmentJob {
  readonly kind: 'seal' | 'open';
  readonly suite: FloeSuite;
  /** One for all, or one for each. */
  readonly keys: readonly KeyObject[];
  readonly firstPosition: number;
  /** As they are given: encrypted or plaintext. All have the same length but the last, which may be shorter. */
  readonly lengthsBytes: readonly number[];
  /** Whether the last is the message's final one. */
  readonly isFinal: boolean;
  /** One after the other; only to encrypt. */
  readonly nonces: Uint8Array;
  readonly pieces: readonly Uint8Array[];
}

/** The job of encrypting neighbouring segments; the pieces together are their plaintext. */
export function sealJob(tasks: readonly SealTask[], pieces: readonly Uint8Array[]): SegmentJob {
  const nonces = new Uint8Array(tasks.length * aeadIvBytes);
  for (const [index, { nonce }] of tasks.entries()) nonces.set(nonce, index * aeadIvBytes);
  return { kind: 'seal', ...common(tasks), nonces, pieces };
}

/** The job of decrypting neighbouring segments; the pieces together begin with them. */
export function openJob(tasks: readonly OpenTask[], pieces: readonly Uint8Array[]): SegmentJob {
  return { kind: 'open', ...common(tasks), nonces: new Uint8Array(), pieces };
}

function common(tasks: readonly OpenTask[]): Omit<SegmentJob, 'kind' | 'nonces' | 'pieces'> {
  const [first] = tasks;
  if (first === undefined) throw new RangeError('a job has at least one segment');
  const keys = tasks.every(({ key }) => key === first.key) ? [first.key] : tasks.map(({ key }) => key);
  return {
    suite: first.suite,
    keys,
    firstPosition: first.position,
    lengthsBytes: tasks.map(({ lengthBytes }) => lengthBytes),
    isFinal: tasks.at(-1)?.isFinal === true,
  };
}

/**
 * One output a segment, in order. Where `isInvalid`, they are those before the first segment that is not valid; after a
 * cancellation, those that were done by then.
 */
export interface JobResult {
  readonly outputs: readonly Uint8Array[];
  readonly isInvalid: boolean;
}

/** What a job is run with: memory for an output of exactly that length, and whether nobody waits for it any more. */
export interface JobRun {
  readonly memory: (lengthBytes: number) => ArrayBuffer;
  readonly isCancelled: () => boolean;
}

/** Does the job and frees its pieces. Nothing of a segment that is not valid is left in any output. */
export function runJob(job: SegmentJob, { memory, isCancelled }: JobRun): JobResult {
  const outputs: Uint8Array[] = [];
  let isInvalid = false;
  let offset = 0;
  for (const [index, lengthBytes] of job.lengthsBytes.entries()) {
    if (isCancelled()) break;
    const pieces = cut(job.pieces, offset, offset + lengthBytes);
    const output = new Uint8Array(memory(outputBytes(job.kind, lengthBytes)));
    isInvalid = !runSegment(job, index, pieces, output);
    if (isInvalid) break;
    outputs.push(output);
    offset += lengthBytes;
  }
  for (const piece of job.pieces) free(piece);
  return { outputs, isInvalid };
}

/** Length of what comes of a segment. */
export function outputBytes(kind: SegmentJob['kind'], lengthBytes: number): number {
  return kind === 'seal' ? lengthBytes + floeSegmentOverheadBytes : lengthBytes - floeSegmentOverheadBytes;
}

/** How a job's failure is told. */
export function jobFailure(): FloeError {
  return invalidSegment();
}

/** @returns Whether the segment is valid. */
function runSegment(job: SegmentJob, index: number, pieces: readonly Uint8Array[], output: Uint8Array): boolean {
  const key = job.keys[index] ?? job.keys[0];
  const lengthBytes = job.lengthsBytes[index];
  if (key === undefined || lengthBytes === undefined) throw new RangeError('a job has a key and lengths');
  const isFinal = job.isFinal && index === job.lengthsBytes.length - 1;
  const task: OpenTask = { suite: job.suite, key, position: job.firstPosition + index, isFinal, lengthBytes };
  if (job.kind === 'open') return opens(task, pieces, output);
  const nonce = job.nonces.subarray(index * aeadIvBytes, (index + 1) * aeadIvBytes);
  sealSegment({ ...task, nonce }, pieces, output);
  return true;
}

function opens(task: OpenTask, pieces: readonly Uint8Array[], output: Uint8Array): boolean {
  let offset = 0;
  try {
    openSegment(task, pieces, (plaintext) => {
      output.set(plaintext, offset);
      offset += plaintext.length;
      free(plaintext);
    });
    return true;
  } catch (error) {
    output.fill(0);
    if (error instanceof FloeError) return false;
    throw error;
  }
}
