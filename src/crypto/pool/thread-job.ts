import { runJob } from './segment-job.ts';
import type { JobMessage, ResultMessage } from './thread-messages.ts';

/** Does a job and gives the message that answers it, with the memory to transfer. */
export function answerJob(
  { slot, job, memory }: JobMessage,
  cancelled: Int32Array,
): { readonly answer: ResultMessage; readonly transfer: ArrayBuffer[] } {
  const startedMs = performance.now();
  const unused = [...memory];
  const take = (lengthBytes: number): ArrayBuffer => {
    const index = unused.findIndex(({ byteLength }) => byteLength === lengthBytes);
    return unused.splice(index, index < 0 ? 0 : 1)[0] ?? new ArrayBuffer(lengthBytes);
  };
  const result = runJob(job, { memory: take, isCancelled: () => Atomics.load(cancelled, slot) !== 0 });
  const answer = { slot, result, memory: unused, busyMs: performance.now() - startedMs };
  return { answer, transfer: [...unused, ...buffersOf(result.outputs)] };
}

/** The buffers behind views that are alone in theirs. */
export function buffersOf(views: readonly Uint8Array[]): ArrayBuffer[] {
  return views.flatMap(({ buffer }) => (buffer instanceof ArrayBuffer ? [buffer] : []));
}
