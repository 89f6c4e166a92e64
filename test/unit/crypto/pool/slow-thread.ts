/** As `segment-thread.ts`, but answers late, and not in the order in which it was asked. */
import { parentPort, workerData } from 'node:worker_threads';

import { answerJob } from '../../../../src/crypto/pool/thread-job.ts';
import type { JobMessage, ThreadData } from '../../../../src/crypto/pool/thread-messages.ts';

// eslint-disable-next-line typescript/no-unsafe-type-assertion -- set by pool-thread.ts only
const { cancelled } = workerData as ThreadData;

parentPort?.on('message', (message: JobMessage) => {
  setTimeout(() => {
    const { answer, transfer } = answerJob(message, cancelled);
    parentPort?.postMessage(answer, transfer);
  }, Math.random() * 4);
});
// eslint-disable-next-line unicorn/require-post-message-target-origin -- this is no window
parentPort?.postMessage('ready');
