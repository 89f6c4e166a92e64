/** Listing a large bucket page by page: through the gateway, and straight from the server behind it. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';

import { measure } from '../measure.ts';
import { cpuSeconds } from '../process-usage.ts';
import { signedHead } from '../sigv4.ts';
import { reference, subject, type Sample } from '../results.ts';
import { startPair, type Bench, type Scenario } from '../scenario.ts';
import { makeBucket, type Target } from '../target.ts';

const pageKeys = 1000;
const emptyHash = createHash('sha256').digest('hex');

/** One walk over a whole bucket. */
interface Walk {
  readonly elapsedMs: number;
  readonly keys: number;
  readonly cpuSeconds: number;
}

/** Pages of a bucket of 100 000 objects, listed to its end, through the gateway and straight from the server behind it. */
export const listing: Scenario = {
  name: 'listing',
  loads: ['listing'],
  isLong: true,
  async run(bench) {
    const [minio, ...gateways] = await startPair(bench);
    for (const gateway of gateways)
      await fill(gateway, join(bench.folder, 'minio', 'objects'), bench.isQuick ? 10_000 : 100_000);
    return await listingRounds(bench, minio, gateways);
  },
};

/**
 * Fills the bucket of `gateway`: one object goes through it, and the server's files of that object are copied, which for
 * MinIO is an object more (`<bucket>/<key>/xl.meta` does not hold the key), at a hundredth of what a request takes.
 */
async function fill(gateway: Target, serverFolder: string, objects: number): Promise<void> {
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
 * Lists the bucket of each gateway in pages of 1 000 keys, through it and straight from `server`, in turns.
 * @throws Error where the two do not list the same number of keys.
 */
async function listingRounds(bench: Bench, server: Target, gateways: readonly Target[]): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (let round = 0; round <= bench.rounds; round += 1) {
    for (const gateway of gateways) {
      const direct = await walk(server, gateway.bucket);
      const through = await walk(gateway, gateway.bucket);
      if (direct.keys !== through.keys) throw new Error(`${direct.keys} keys directly, ${through.keys} through`);
      // The first round warms both up.
      if (round === 0) continue;
      if (gateway.name === subject) samples.push(sampleOf(reference, round, direct));
      samples.push(sampleOf(gateway.name, round, through));
    }
    bench.progress(`round ${round} of ${bench.rounds}`);
  }
  return samples;
}

function sampleOf(target: string, round: number, { elapsedMs, keys, cpuSeconds }: Walk): Sample {
  const pages = Math.ceil(keys / pageKeys);
  const figures = { elapsedMs, p50Ms: elapsedMs / pages, cpuMsPerRequest: (cpuSeconds * 1000) / pages };
  return { load: 'listing', target, round, figures };
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
