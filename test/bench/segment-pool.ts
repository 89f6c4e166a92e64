/**
 * What the crypto threads bring to one stream where the cipher is the limit: nothing but memory stands before and behind it.
 * `node test/bench/segment-pool.ts [rounds] [MiB of a stream] [threads] [KiB of a job]` prints, for encryption and decryption with each
 * cipher, medians over interleaved rounds and the spread of their ratios. A round counts only where other processes left the
 * cores alone (`S3EG_BENCH_OTHERS`, the share of the machine that they may take, default 0.08); it is tried again where they did not.
 */
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ByteStream } from '../../src/base/byte-stream.ts';
import { handOver, release } from '../../src/base/chunk-memory.ts';
import type { FloeSuite } from '../../src/crypto/floe.ts';
import { SegmentPool } from '../../src/crypto/pool/segment-pool.ts';
import { decryptWholeSingle } from '../../src/envelope/object-reader.ts';
import { ObjectSecrets } from '../../src/envelope/object-secrets.ts';
import { encryptPart } from '../../src/envelope/object-writer.ts';
import { single } from '../unit/envelope/envelope-support.ts';

const [rounds = 9, sizeMib = 256, threads = 1, jobKib = 512] = process.argv.slice(2).map(Number);
const streamBytes = sizeMib * 1024 * 1024;
const chunkBytes = 64 * 1024;
const segmentSizeBytes = 64 * 1024;
/** Of all cores, taken by other processes in a round that counts. */
const mostOthers = Number(process.env['S3EG_BENCH_OTHERS'] ?? 0.08);
const mostAttempts = 40;

interface Round {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** One way to pass a stream through a cipher. */
type Pass = (pool: SegmentPool | undefined) => ByteStream;

/** Chunks as a read makes them: fresh memory, filled, and the taker's. */
function sourceOf(lengthBytes: number, bytesAt: (offset: number, length: number) => Uint8Array): ByteStream {
  let offset = 0;
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    if (offset >= lengthBytes) return { done: true, value: undefined };
    const chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytes, lengthBytes - offset));
    chunk.set(bytesAt(offset, chunk.length));
    offset += chunk.length;
    return { done: false, value: handOver(chunk) };
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

function encryption(suite: FloeSuite): Pass {
  const secrets = ObjectSecrets.generate();
  const pattern = Buffer.alloc(chunkBytes, 7);
  return (pool) => {
    const plaintext = sourceOf(streamBytes, (_, length) => pattern.subarray(0, length));
    return encryptPart({
      secrets,
      suite,
      segmentSizeBytes,
      plaintext,
      plaintextBytes: streamBytes,
      partNumber: 1,
      pool,
    }).body;
  };
}

function decryption(suite: FloeSuite): Pass {
  const { secrets, envelope, stored } = single(streamBytes, { suite, segmentSizeBytes });
  return (pool) => {
    const ciphertext = sourceOf(stored.length, (offset, length) => stored.subarray(offset, offset + length));
    return decryptWholeSingle({ secrets, envelope, storedBytes: stored.length, ciphertext, pool });
  };
}

function machineBusySeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
}

async function round(stream: () => ByteStream): Promise<Round | undefined> {
  for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
    await sleep(100);
    const [busyBefore, cpuBefore, startedMs] = [machineBusySeconds(), process.cpuUsage(), performance.now()];
    for await (const chunk of stream()) release(chunk);
    const seconds = (performance.now() - startedMs) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    const cpuSeconds = (user + system) / 1e6;
    const others = (machineBusySeconds() - busyBefore - cpuSeconds) / seconds / cpus().length;
    if (others < mostOthers) return { seconds, cpuSeconds };
  }
  return undefined;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? Number.NaN;
}

async function compare(name: string, pass: Pass, pool: SegmentPool): Promise<void> {
  const pairs: { readonly inline: Round; readonly pooled: Round }[] = [];
  for (let index = 0; index < rounds; index += 1) {
    const inline = await round(() => pass(undefined));
    const pooled = await round(() => pass(pool));
    if (inline !== undefined && pooled !== undefined) pairs.push({ inline, pooled });
  }
  const gigabytes = streamBytes / 1e9;
  const ratios = pairs.map(({ inline, pooled }) => inline.seconds / pooled.seconds).toSorted((a, b) => a - b);
  const shown = (of: (pair: (typeof pairs)[number]) => Round): string =>
    `${(gigabytes / median(pairs.map((pair) => of(pair).seconds))).toFixed(2)} GB/s at ` +
    `${(median(pairs.map((pair) => of(pair).cpuSeconds)) / gigabytes).toFixed(2)} CPU s/GB`;
  const spread = [ratios[0], median(ratios), ratios.at(-1)].map((ratio) => ratio?.toFixed(2)).join(' / ');
  console.log(
    `${name}: inline ${shown(({ inline }) => inline)}, pool ${shown(({ pooled }) => pooled)}, ` +
      `ratio min / median / max ${spread} (${pairs.length} of ${rounds} rounds)`,
  );
}

await using pool = new SegmentPool({
  threads,
  jobBytes: jobKib * 1024,
  gate: { allows: () => true, worked: () => {} },
});
while (!pool.isWanted()) await sleep(5);
for (const suite of ['aes-256-gcm', 'chacha20-poly1305'] as const) {
  await compare(`${suite} encryption`, encryption(suite), pool);
  await compare(`${suite} decryption`, decryption(suite), pool);
}
