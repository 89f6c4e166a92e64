import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** What is measured; the unit is in the name. CPU is that of the target alone, with all its processes and threads. */
export type Figure =
  | 'cpuSecondsPerGb'
  | 'cpuMsPerRequest'
  /** Share of the CPU time that was spent in the kernel. */
  | 'kernelShare'
  /** CPU of the server behind the target. */
  | 'backendCpuMsPerRequest'
  | 'bytesPerSecond'
  | 'requestsPerSecond'
  | 'p50Ms'
  | 'p99Ms'
  /** Until the first byte of an answer's body. */
  | 'firstByteP50Ms'
  | 'firstByteP99Ms'
  | 'peakMemoryBytes'
  | 'elapsedMs'
  /** What the target read for one request, from the server or disk behind it and from the client. */
  | 'readBytesPerRequest'
  /** Requests to the server behind the target for one request to it: the first for an object, and every further one. */
  | 'firstBackendRequests'
  | 'backendRequests'
  /** How fast resident memory grows. */
  | 'memoryBytesPerMinute';

/** One load on one target, once. */
export interface Sample {
  readonly load: string;
  readonly target: string;
  /** Samples of one round were taken one after the other, and are compared with each other. */
  readonly round: number;
  readonly figures: Readonly<Partial<Record<Figure, number>>>;
}

/** Samples with what one has to know to read them. */
export interface Run {
  readonly time: string;
  readonly commit: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly samples: readonly Sample[];
}

/** The server that all others are compared with. */
export const reference = 'MinIO';
/** The gateway of this checkout in front of it. */
export const subject = 'gateway';

/** What an encrypting proxy in Node costs at least: `bare-relay.ts`. */
export const bareRelay = 'bare relay';
/** Target: see `least-gateway.ts`. */
export const leastGateway = 'least gateway';

/** The gateway, bound to one core. */
export const oneCore = 'gateway, one core';

/** What a gateway `of` another checkout, `on` another runtime or `with` other settings is called. */
export function otherGateway(what: `of ${string}` | `on ${string}` | `with ${string}`): string {
  return `gateway ${what}`;
}

/** Whether a target is one. */
export function isOtherGateway(target: string): boolean {
  return /^gateway (of|on|with) /.test(target);
}

/** Describes this machine, this checkout and MinIO's program beside the samples. */
export function describeRun(minio: string, settings: Run['settings'], samples: readonly Sample[]): Run {
  return {
    time: new Date().toISOString(),
    commit: commit(),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryBytes: totalmem(),
      kernel: release(),
      loadAverage: Number(loadavg()[0]?.toFixed(2)),
    },
    versions: { node: process.version, openssl: process.versions.openssl, minio: versionOf(minio) },
    settings,
    samples,
  };
}

/** The gateway's; what the benchmark writes itself is no change of it. */
function commit(): string {
  try {
    const isChanged = git('status', '--porcelain', '--', ':/src', ':/package-lock.json') !== '';
    return `${git('rev-parse', '--short=12', 'HEAD')}${isChanged ? ' with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}

function git(...args: readonly string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim();
}

/** Of a release, or of the module that Go built it from, which is in the program itself (`go version -m`). */
function versionOf(minio: string): string {
  const text = execFileSync(minio, ['--version'], { encoding: 'utf8' });
  const release = /RELEASE\.\S+/.exec(text)?.[0];
  if (release !== undefined) return release;
  const program = readFileSync(minio);
  const start = program.indexOf('mod\tgithub.com/minio/minio\t');
  const line = start < 0 ? '' : program.toString('latin1', start, start + 200);
  return /\t(v[\w.+-]+)\t/.exec(line)?.[1] ?? 'unknown';
}
