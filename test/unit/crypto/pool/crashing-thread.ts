/** As `segment-thread.ts`, but dies of the first job with a segment from position 40 on. */
import { parentPort, workerData } from 'node:worker_threads';

import { answerJob } from '../../../../src/crypto/pool/thread-job.ts';
import type { JobMessage, ThreadData } from '../../../../src/crypto/pool/thread-messages.ts';

// eslint-disable-next-line typescript/no-unsafe-type-assertion -- set by pool-thread.ts only
const { cancelled } = workerData as ThreadData;

parentPort?.on('message', (message: JobMessage) => {
  if (message.job.firstPosition + message.job.lengthsBytes.length > 40) throw new Error('out of luck');
  const { answer, transfer } = answerJob(message, cancelled);
  parentPort?.postMessage(answer, transfer);
});
// eslint-disable-next-line unicorn/require-post-message-target-origin -- this is no window
parentPort?.postMessage('ready');
