import { execFileSync } from 'node:child_process';

import { startMinio } from './minio.ts';
import { startRelay, type RelayJob } from './relay-process.ts';
import { canRun } from './programs.ts';
import type { Bench } from './scenario.ts';
import type { Target } from './target.ts';

/** A line between this machine and a server: like one of 800 Mbit/s to a provider in the same country. */
const bytesPerSecond = 100_000_000;
/** One way. */
const delayMs = 5;

/** A MinIO behind a slow line, and how the line is made. */
export interface DistantServer {
  readonly minio: Target;
  /** For the reader: what limits rate and delay. */
  readonly line: string;
}

/**
 * Starts MinIO behind a line with a rate and a delay. As root it gets a network of its own, whose one cable the kernel shapes;
 * what the kernel cannot do (delay needs sch_netem) or may not, a relay does.
 */
export async function startDistantMinio(bench: Bench): Promise<DistantServer> {
  const cable = canMakeNetworks() ? new Cable() : undefined;
  bench.stopAtEnd({ stop: async () => cable?.remove() });
  const shaped = cable?.shape() ?? { rate: false, delay: false };
  const place = cable === undefined ? {} : { prefix: cable.within, host: cable.farHost };
  const minio = await startMinio(bench.folder, place);
  bench.stopAtEnd(minio);
  const line = describe(cable !== undefined, shaped);
  bench.progress(line);
  if (shaped.rate && shaped.delay) return { minio, line };
  const job: RelayJob = {
    host: minio.host,
    port: minio.port,
    delayMs: shaped.delay ? 0 : delayMs,
    ...(shaped.rate ? {} : { bytesPerSecond }),
  };
  const relay = await startRelay(job);
  bench.stopAtEnd(relay);
  return { minio: { ...minio, host: relay.host, port: relay.port }, line };
}

function describe(isOwnNetwork: boolean, { rate, delay }: Shaped): string {
  return (
    `${bytesPerSecond / 1e6} MB/s by ${by(rate, 'tbf')}, ${delayMs} ms each way by ${by(delay, 'netem')}, the backend ` +
    (isOwnNetwork ? 'in a network namespace of its own' : 'on loopback: namespaces need root, ip and tc (iproute2)')
  );
}

function by(isKernel: boolean, what: string): string {
  return isKernel ? `tc (${what})` : 'a relay in user space';
}

/** What the kernel does of it. */
interface Shaped {
  readonly rate: boolean;
  readonly delay: boolean;
}

function canMakeNetworks(): boolean {
  return process.getuid?.() === 0 && canRun('ip', '-V') && canRun('tc', '-V') && canRun('ip', 'netns', 'list');
}

/** A network namespace and a pair of virtual interfaces to it; addresses of RFC 2544, which no network uses. */
class Cable {
  readonly #name = `s3eg-bench-${process.pid}`;
  readonly #near = `s3b${process.pid}a`;
  readonly #far = `s3b${process.pid}b`;
  readonly #network = `198.18.${process.pid % 256}`;
  readonly farHost = `${this.#network}.2`;
  /** What runs a command at the far end. */
  readonly within: readonly string[] = ['ip', 'netns', 'exec', this.#name];

  constructor() {
    run('ip', 'netns', 'add', this.#name);
    run('ip', 'link', 'add', this.#near, 'type', 'veth', 'peer', 'name', this.#far, 'netns', this.#name);
    run('ip', 'addr', 'add', `${this.#network}.1/30`, 'dev', this.#near);
    run('ip', 'link', 'set', this.#near, 'up');
    run(...this.within, 'ip', 'addr', 'add', `${this.farHost}/30`, 'dev', this.#far);
    run(...this.within, 'ip', 'link', 'set', this.#far, 'up');
    run(...this.within, 'ip', 'link', 'set', 'lo', 'up');
  }

  /** Limits both directions, as far as the kernel can. */
  shape(): Shaped {
    const ends = [['tc'], [...this.within, 'tc']].map(
      (tc, index) => [tc, index === 0 ? this.#near : this.#far] as const,
    );
    const limit = ['tbf', 'rate', `${bytesPerSecond * 8}bit`, 'burst', '256kb', 'latency', '50ms'];
    const rate = ends.every(([tc, end]) => canRun(...tc, 'qdisc', 'add', 'dev', end, 'root', 'handle', '1:', ...limit));
    const wait = ['netem', 'delay', `${delayMs}ms`, 'limit', '20000'];
    const under = rate ? ['parent', '1:'] : ['root'];
    const delay = ends.every(([tc, end]) =>
      canRun(...tc, 'qdisc', 'add', 'dev', end, ...under, 'handle', '10:', ...wait),
    );
    return { rate, delay };
  }

  /** The interfaces go with it. */
  remove(): void {
    run('ip', 'netns', 'delete', this.#name);
  }
}

function run(...[program = '', ...args]: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
