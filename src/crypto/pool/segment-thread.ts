/** What a thread of `SegmentPool` runs: one job after the other. It holds no key and no data between them. */
import { parentPort, workerData } from 'node:worker_threads';

import { answerJob } from './thread-job.ts';
import { threadReady, type JobMessage, type ThreadData } from './thread-messages.ts';

// eslint-disable-next-line typescript/no-unsafe-type-assertion -- set by pool-thread.ts only
const { cancelled } = workerData as ThreadData;

parentPort?.on('message', (message: JobMessage) => {
  const { answer, transfer } = answerJob(message, cancelled);
  parentPort?.postMessage(answer, transfer);
});
// eslint-disable-next-line unicorn/require-post-message-target-origin -- this is no window
parentPort?.postMessage(threadReady);
