/**
 * The load, in a process of its own: raw sockets that send heads signed beforehand and one shared body, and that count
 * what comes back in one buffer each. Gets a LoadJob as a message, says `ready`, waits for `go`, answers a LoadResult.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';

import { LoadConnection } from './load-connection.ts';
import { contentDigest, longestLoadMs, objectContent, type LoadJob, type LoadResult } from './load-job.ts';
import { signedHead } from './sigv4.ts';
import { quantile } from './statistics.ts';

/** So many different places of an object are asked for, in turns. */
const rangePlaces = 512;
const emptyHash = createHash('sha256').digest('hex');

function heads(job: LoadJob, content: Buffer | undefined): string[] {
  const payloadHash =
    job.method === 'GET' || job.signedPayload
      ? content === undefined
        ? emptyHash
        : contentDigest(job.objectBytes)
      : 'UNSIGNED-PAYLOAD';
  const count = job.rangeBytes === undefined ? job.keys : Math.max(job.keys, rangePlaces);
  return Array.from({ length: count }, (_, index) =>
    signedHead(
      {
        method: job.method,
        host: `${job.host}:${job.port}`,
        path: `/${job.bucket}/${job.objectBytes}-${index % job.keys}`,
        bodyBytes: content === undefined ? 0 : job.objectBytes,
        payloadHash,
        ...(job.rangeBytes === undefined ? {} : { range: rangeAt(index, job.rangeBytes, job.objectBytes) }),
      },
      job.credentials,
      new Date(),
    ),
  );
}

/** Places all over the object, the same in each run, and not at the borders of anything. */
function rangeAt(index: number, rangeBytes: number, objectBytes: number): string {
  const random = createHash('sha256').update(`s3eg bench range ${index}`).digest().readUIntBE(0, 6) / 2 ** 48;
  const first = Math.floor(random * (objectBytes - rangeBytes));
  return `bytes=${first}-${first + rangeBytes - 1}`;
}

async function run(job: LoadJob): Promise<LoadResult> {
  const content = job.method === 'PUT' ? objectContent(job.objectBytes) : undefined;
  const repeats = content === undefined ? 1 : job.objectBytes / content.length;
  const signed = heads(job, content);
  const connections = Array.from({ length: job.connections }, () => new LoadConnection(job));
  await Promise.all(connections.map((connection) => connection.connected()));
  process.send?.('ready');
  await once(process, 'message');
  let next = 0;
  let isCut = false;
  const elapsed: number[] = [];
  const firstByte: number[] = [];
  const startMs = performance.now();
  const endMs = startMs + (job.durationMs ?? longestLoadMs);
  const cut = setTimeout(() => {
    isCut = true;
    for (const connection of connections) connection.end();
  }, longestLoadMs);
  const use = async (connection: LoadConnection): Promise<void> => {
    while (next < job.requests && performance.now() < endMs) {
      const head = signed[next % signed.length] ?? '';
      next += 1;
      const answer = await connection.request(head, content, repeats);
      elapsed.push(answer.elapsedMs);
      firstByte.push(answer.firstByteMs);
    }
  };
  await Promise.all(connections.map((one) => use(one).catch((error: unknown) => throwUnless(isCut, error))));
  const elapsedMs = performance.now() - startMs;
  clearTimeout(cut);
  const bytes = connections.reduce((sum, { movedBytes }) => sum + movedBytes, 0);
  for (const connection of connections) connection.end();
  return { elapsedMs, requests: elapsed.length, bytes, ...latencies(elapsed, firstByte) };
}

function throwUnless(isExpected: boolean, error: unknown): void {
  if (!isExpected) throw error;
}

function latencies(elapsed: number[], firstByte: number[]): Omit<LoadResult, 'elapsedMs' | 'requests' | 'bytes'> {
  elapsed.sort((a, b) => a - b);
  firstByte.sort((a, b) => a - b);
  return {
    p50Ms: quantile(elapsed, 0.5),
    p99Ms: quantile(elapsed, 0.99),
    firstByteP50Ms: quantile(firstByte, 0.5),
    firstByteP99Ms: quantile(firstByte, 0.99),
  };
}

process.on('disconnect', () => process.exit());
const [job] = await once(process, 'message');
const answer = await run(job).catch((error: unknown) => ({ error: String(error) }));
process.send?.(answer);
// A failed load has connections and a timer left.
process.disconnect?.();
process.exit();
