import { cpSync } from 'node:fs';
import { basename, join } from 'node:path';

import { startGateway, type GatewayOptions, type Variant } from './gateway.ts';
import { measure, type Load } from './measure.ts';
import { startMinio } from './minio.ts';
import { bareRelay, leastGateway, subject, type Sample } from './results.ts';
import { makeBucket, type Target } from './target.ts';
import { startYardstick, yardstickNames } from './yardstick-process.ts';

/** What every scenario is told. */
export interface Bench {
  /** For the files of its servers; empty at its start, removed after it. */
  readonly folder: string;
  readonly rounds: number;
  /** A first look: less of everything. */
  readonly isQuick: boolean;
  /** Another gateway, which is measured beside this one. */
  readonly against?: Variant;
  /** Sections for the configuration of every gateway, in YAML. */
  readonly settings?: string;
  /** Length of the soak. */
  readonly soakMs: number;
  /** Chooses among the loads of a scenario that has several. */
  isWanted(load: string): boolean;
  /** Tells how far it is. */
  progress(text: string): void;
  /** Stops a server at the scenario's end. */
  stopAtEnd(server: { stop(): Promise<void> }): void;
}

/** Loads that belong together, with the servers that they need. */
export interface Scenario {
  /** One of these in `--only` chooses it. */
  readonly name: string;
  readonly loads: readonly string[];
  /** Not part of a run without `--only`. */
  readonly isLong?: boolean;
  run(bench: Bench): Promise<readonly Sample[]>;
}

/** MinIO, and the gateway in front of it: of this checkout, and of the other one where there is one. */
export async function startPair(bench: Bench): Promise<readonly [minio: Target, gateway: Target, ...Target[]]> {
  const minio = await startBackend(bench);
  const gateway = await startSubject(bench, { name: subject, backend: minio });
  if (bench.against === undefined) return [minio, gateway];
  shareKeys(bench, subject, bench.against.name);
  return [minio, gateway, await startSubject(bench, { ...bench.against, backend: minio })];
}

/** What no gateway in Node goes below, in front of the same server; not where less of everything is measured, or gateways are compared. */
export async function yardsticks(bench: Bench, backend: Target): Promise<readonly Target[]> {
  if (bench.isQuick || bench.against !== undefined) return [];
  const targets: Target[] = [];
  for (const name of yardstickNames) {
    const target = await startYardstick(name, backend);
    bench.stopAtEnd(target);
    await makeBucket(target);
    targets.push(target);
  }
  return targets;
}

/** A MinIO that ends with the scenario. */
export async function startBackend(bench: Bench): Promise<Target> {
  const minio = await startMinio(join(bench.folder, 'minio'));
  bench.stopAtEnd(minio);
  return minio;
}

/** A gateway that ends with the scenario, in a folder of its own, with its bucket made. */
export async function startSubject(bench: Bench, options: GatewayOptions): Promise<Target> {
  const folder = folderOf(bench, options.name);
  const settings = [bench.settings, options.settings].filter((text) => text !== undefined).join('\n');
  const started = await startGateway(folder, { ...options, ...(settings === '' ? {} : { settings }) });
  bench.stopAtEnd(started);
  // The gateways share the server behind them, not what they store.
  const target = { ...started, bucket: `bench-${basename(folder)}`.slice(0, 63) };
  await makeBucket(target);
  return target;
}

/** Gives a gateway the keys of one that runs: it refuses a server in which another key's canary is. */
export function shareKeys(bench: Bench, from: string, to: string): void {
  cpSync(join(folderOf(bench, from), 'data'), join(folderOf(bench, to), 'data'), { recursive: true });
}

/** Where a gateway's files are. */
export function folderOf(bench: Bench, target: string): string {
  return join(
    bench.folder,
    target
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replace(/-$/, ''),
  );
}

/** Stores the objects that a load asks for, and compares what comes back. */
export async function store(target: Target, { job }: Load, { verify = true } = {}): Promise<void> {
  await makeBucket(target);
  const { objectBytes, keys } = job;
  const once = { objectBytes, keys, connections: 1, requests: keys, signedPayload: true };
  await measure(target, { name: 'store', job: { ...once, verify: false, method: 'PUT' } }, 0);
  if (verify && target.name !== bareRelay && target.name !== leastGateway)
    await measure(target, { name: 'compare', job: { ...once, verify, method: 'GET' } }, 0);
}

/** Measures every load on every target, round by round; the order of the targets turns from round to round. */
export async function interleaved(
  bench: Bench,
  loads: readonly Load[],
  targets: readonly Target[],
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (let round = 1; round <= bench.rounds; round += 1) {
    for (const load of loads) {
      for (const target of round % 2 === 0 ? targets.toReversed() : targets) {
        samples.push(await measure(target, load, round));
      }
      bench.progress(`round ${round} of ${bench.rounds}: ${load.name}`);
    }
  }
  return samples;
}
