/** A run of neighbouring segments that is encrypted or decrypted in one go, by the event loop or by a thread. */
import { free } from '../../base/chunk-memory.ts';
import { FloeError, floeSegmentOverheadBytes } from '../floe-header.ts';
import { cut, invalidSegment, openSegment, sealSegment, type OpenTask, type SealTask } from '../floe-segment.ts';

/** What to do, in the order of the message. Each piece is alone in its memory, which goes with the job. */
export type SegmentJob =
  | { readonly kind: 'seal'; readonly tasks: readonly SealTask[]; readonly pieces: readonly Uint8Array[] }
  | { readonly kind: 'open'; readonly tasks: readonly OpenTask[]; readonly pieces: readonly Uint8Array[] };

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
  for (const [index, { lengthBytes }] of job.tasks.entries()) {
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
  if (job.kind === 'seal') {
    const task = job.tasks[index];
    if (task !== undefined) sealSegment(task, pieces, output);
    return true;
  }
  const task = job.tasks[index];
  let offset = 0;
  try {
    if (task === undefined) return false;
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
