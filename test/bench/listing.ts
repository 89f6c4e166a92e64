/** Listing a large bucket page by page: through the gateway, and straight from the server behind it. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';

import { measure } from './measure.ts';
import { cpuSeconds } from './process-usage.ts';
import { signedHead } from './sigv4.ts';
import { makeBucket, type Target } from './targets.ts';

const pageKeys = 1000;
const emptyHash = createHash('sha256').digest('hex');

/** One walk over a whole bucket. */
interface Walk {
  readonly elapsedMs: number;
  readonly keys: number;
  readonly cpuSeconds: number;
}

/** How long the pages of one bucket take. */
interface ListingResult {
  readonly target: string;
  readonly keys: number;
  /** Medians over all rounds, of the whole bucket. */
  readonly directMs: number;
  readonly throughMs: number;
  readonly cpuMsPerPage: number;
}

/**
 * Fills the bucket of `gateway`: one object goes through it, and the server's files of that object are copied, which for
 * MinIO is an object more (`<bucket>/<key>/xl.meta` does not hold the key), at a hundredth of what a request takes.
 */
export async function fill(gateway: Target, serverFolder: string, objects: number): Promise<void> {
  await makeBucket(gateway);
  const job = { objectBytes: 1, keys: 1, requests: 1, connections: 1, signedPayload: false, verify: false };
  await measure(gateway, { name: 'fill', job: { ...job, method: 'PUT' } }, 0);
  const bucket = join(serverFolder, gateway.bucket);
  const original = readFileSync(join(bucket, '1-0', 'xl.meta'));
  for (let index = 1; index < objects; index += 1) {
    const folder = join(bucket, `copy-${String(index).padStart(7, '0')}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'xl.meta'), original);
  }
}

/**
 * Lists the bucket of `gateway` in pages of 1 000 keys, through it and straight from `server`, in turns.
 * @throws Error where the two do not list the same number of keys.
 */
export async function listingRounds(gateway: Target, server: Target, rounds: number): Promise<ListingResult> {
  const { bucket } = gateway;
  const direct: Walk[] = [];
  const through: Walk[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const pair = [await walk(server, bucket), await walk(gateway, bucket)] as const;
    if (pair[0].keys !== pair[1].keys) throw new Error(`${pair[0].keys} keys directly, ${pair[1].keys} through`);
    // The first round warms both up.
    if (round === 0) continue;
    direct.push(pair[0]);
    through.push(pair[1]);
  }
  const keys = through[0]?.keys ?? 0;
  return {
    target: gateway.name,
    keys,
    directMs: median(direct.map(({ elapsedMs }) => elapsedMs)),
    throughMs: median(through.map(({ elapsedMs }) => elapsedMs)),
    cpuMsPerPage: (median(through.map((one) => one.cpuSeconds)) * 1000) / Math.ceil(keys / pageKeys),
  };
}

/** A line for the console. */
export function listingTable({ target, keys, directMs, throughMs, cpuMsPerPage }: ListingResult): string {
  return (
    `listing ${keys} keys in pages of ${pageKeys}: ${directMs.toFixed(0)} ms directly, ${throughMs.toFixed(0)} ms by ` +
    `${target}: ${(throughMs / directMs).toFixed(2)} times; ${cpuMsPerPage.toFixed(1)} ms of its CPU a page`
  );
}

async function walk(target: Target, bucket: string): Promise<Walk> {
  using agent = new DisposableAgent();
  const cpuBefore = cpuSeconds(target.pid);
  const startMs = performance.now();
  let keys = 0;
  let token: string | undefined;
  do {
    const page = await get(target, bucket, token, agent);
    // The gateway's own keys are seen only straight from the server.
    keys += page.match(/<Key>(?!\.s3eg\/)/g)?.length ?? 0;
    token = /<NextContinuationToken>([^<]+)<\/NextContinuationToken>/.exec(page)?.[1];
  } while (token !== undefined);
  return { elapsedMs: performance.now() - startMs, keys, cpuSeconds: cpuSeconds(target.pid) - cpuBefore };
}

class DisposableAgent extends Agent implements Disposable {
  constructor() {
    super({ keepAlive: true, maxSockets: 1 });
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

async function get(target: Target, bucket: string, token: string | undefined, agent: Agent): Promise<string> {
  const { host, port } = target;
  const parameters = { ...(token === undefined ? {} : { 'continuation-token': token }), 'list-type': '2' };
  const query = Object.entries(parameters)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
  const path = `/${bucket}`;
  const head = signedHead(
    { method: 'GET', host: `${host}:${port}`, path, query, bodyBytes: 0, payloadHash: emptyHash },
    target.credentials,
    new Date(),
  );
  const headers = Object.fromEntries(
    head
      .trimEnd()
      .split('\r\n')
      .slice(1)
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  );
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const sent = request({ host, port, path: `${path}?${query}`, headers, agent }, (answer) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('error', reject);
    answer.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      if (answer.statusCode === 200) resolve(text);
      else reject(new Error(`${target.name}: ${answer.statusCode} ${text.slice(0, 300)}`));
    });
  });
  sent.on('error', reject);
  sent.end();
  return await promise;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}
