import { resolve } from 'node:path';

import { Command } from 'commander';

import { messageOf } from '../base/message-of.ts';
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import { DataKeys } from '../keys/data-keys.ts';
import { DescriptionCache } from '../keys/description-cache.ts';
import type { KeyProvider } from '../keys/key-provider.ts';
import { takeUpsOf } from '../keys/take-up.ts';
import type { KeyVersion, RewrapKeys } from '../maintenance/rewrap/object-rewrapper.ts';
import { runRewrap, type RewrapJobOptions, type RewrapObserver } from '../maintenance/rewrap/rewrap-job.ts';
import { versionPages } from '../maintenance/rewrap/stored-versions.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { recoveryOf } from '../wire/keys.ts';
import { openStores, type OpenedStores } from '../wire/stores.ts';
import { printable, type CliIo } from './cli-io.ts';
import type { SetExitCode } from './command.ts';
import { CommandAudit, rewrapStep } from './command-audit.ts';
import { loadOptions } from './config-option.ts';
import { exitCode, UsageError } from './exit-code.ts';
import { createProgress, type Progress } from './progress.ts';
import { rewrapOptions, type RewrapOptions } from './rewrap/rewrap-options.ts';
import { reportOf, reportText, type KnownKey, type RewrapReport } from './rewrap/rewrap-report.ts';
import { StateFile } from './rewrap/state-file.ts';
import { signalExitCodes, StopSignals } from './stop-signals.ts';

/** `s3eg rewrap`. */
export function rewrapCommand(io: CliIo, setExitCode: SetExitCode): Command {
  const description =
    'Brings stored objects under the current version of their key, so that older versions can be retired. Only metadata is ' +
    'written, by copies within the provider. Beside running gateways, as often as needed: what is current is left alone, and ' +
    'a run that was ended is simply started again.';
  return rewrapOptions(new Command('rewrap').description(description)).action(async (options: RewrapOptions) => {
    setExitCode(await rewrap(io, options));
  });
}

async function rewrap(io: CliIo, options: RewrapOptions): Promise<number> {
  using stop = new StopSignals();
  const { settings } = await loadSettings(loadOptions(io, options));
  checkNames(options, settings);
  await using audit = await CommandAudit.open(io, settings);
  await using opened = await openStores(settings, (mismatch) => audit.canaryMismatch(mismatch));
  const run = new RewrapRun({ io, options, settings, opened, audit, signal: stop.signal });
  try {
    const reports = await run.all();
    if (options.json === true) io.out(`${JSON.stringify(reports, undefined, 2)}\n`);
    else for (const report of reports) io.out(reportText(report));
    return audit.exitCode(reports.every(({ ok }) => ok) ? exitCode.fine : exitCode.foundProblems);
  } catch (error) {
    if (stop.received === undefined) throw error;
    io.err(`Stopped by ${stop.received}: start it again to go on.\n`);
    return signalExitCodes[stop.received];
  } finally {
    run[Symbol.dispose]();
  }
}

function checkNames({ to, from, backend }: RewrapOptions, { keys, backends }: Settings): void {
  for (const name of [to, from?.keyName]) {
    if (name !== undefined && !keys.has(name)) throw new UsageError(`there is no key "${printable(name)}"`);
  }
  if (backend !== undefined && !backends.has(backend)) {
    throw new UsageError(`there is no backend "${printable(backend)}"`);
  }
}

interface RunParts {
  readonly io: CliIo;
  readonly options: RewrapOptions;
  readonly settings: Settings;
  readonly opened: OpenedStores;
  readonly audit: CommandAudit;
  readonly signal: AbortSignal;
}

/** One command's work: the bucket in every backend that has it. */
class RewrapRun implements Disposable {
  readonly #parts: RunParts;
  readonly #dataKeys: DataKeys;
  readonly #keys: RewrapKeys;

  constructor(parts: RunParts) {
    this.#parts = parts;
    const { opened, settings } = parts;
    this.#dataKeys = new DataKeys(opened.keys, settings.dataKeyCache, recoveryOf(settings));
    const descriptions = new Map(Array.from(opened.keys, ([name, key]) => [name, new DescriptionCache(key)]));
    this.#keys = {
      dataKeys: this.#dataKeys,
      current: async (name, signal) => (await descriptions.get(name)?.get(signal))?.versions[0] ?? '',
      familyOf: (version) => familyIn(opened.keys, version),
    };
  }

  async all(): Promise<readonly RewrapReport[]> {
    const { options, opened, audit } = this.#parts;
    const names = options.backend === undefined ? opened.backendsOf(options.bucket) : [options.backend];
    if (names.length === 0) throw new UsageError(`no policy is for bucket "${printable(options.bucket)}"`);
    const reports: RewrapReport[] = [];
    for (const backend of names) {
      const store = opened.stores.get(backend);
      if (store === undefined) continue;
      const step = rewrapStep(placeOf(options, backend));
      reports.push(await audit.step(step, () => this.#inBackend(backend, store)));
    }
    return reports;
  }

  async #inBackend(backend: string, store: ObjectStore): Promise<RewrapReport> {
    const { io, options, signal } = this.#parts;
    const { bucket, prefix, from, to, shard, allVersions = false, rewrapVersions, dryRun = false } = options;
    await store.headBucket(bucket, { signal });
    const job = this.#job(store);
    const identity = { bucket, backend, prefix, from, to, shard, allVersions, rewrapVersions, dryRun };
    const state = options.state === undefined ? undefined : new StateFile(resolve(io.cwd, options.state), identity);
    const position = await state?.read();
    if (!dryRun) await this.#checkCanaries(backend, store);
    const progress = createProgress(io, {
      title: dryRun ? 'Looking at' : 'Rewrapping',
      unit: 'objects',
      total: io.errIsTerminal ? await countOf(job, signal) : undefined,
      quiet: options.json === true,
    });
    try {
      const result = await runRewrap(job, observerOf(progress, state), { from: position, signal });
      await state?.remove();
      const isWhole = prefix === '' && shard === undefined;
      const known = await this.#knownKeys();
      const familyOf = (version: KeyVersion): string => familyIn(this.#parts.opened.keys, version);
      const rewrapsVersions = rewrapVersions === true;
      return reportOf({ bucket, backend, dryRun, isWhole, rewrapsVersions, known, familyOf }, result);
    } finally {
      progress.stop();
    }
  }

  #job(store: ObjectStore): RewrapJobOptions {
    const { options, settings } = this.#parts;
    const { bucket, prefix, from, to, shard, concurrency, rate, partsAbove } = options;
    const { prefix: reservedPrefix, bucket: ledgerBucket } = settings.multipart;
    return {
      store,
      bucket,
      prefix,
      keys: this.#keys,
      reservedPrefix,
      dryRun: options.dryRun === true,
      allVersions: options.allVersions === true,
      rewrapVersions: options.rewrapVersions === true,
      concurrency,
      ratePerSecond: rate,
      maxCopyBytes: partsAbove,
      isUnguarded: options.unguarded === true,
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...(shard === undefined ? {} : { shard }),
      ...(ledgerBucket === undefined ? {} : { ledgerBucket }),
    };
  }

  /** No key that is not the one of the bucket's data may wrap anything; and canaries move along. */
  async #checkCanaries(backend: string, store: ObjectStore): Promise<void> {
    const { options, settings, opened, signal } = this.#parts;
    const { prefix, bucket = options.bucket } = settings.multipart;
    const folder = `${prefix}canary/`;
    const { objects } = await store.listObjects({ bucket, prefix: folder, version: 2 }, { signal });
    const names = new Set(objects.map(({ key }) => key.slice(folder.length)));
    if (options.to !== undefined) names.add(options.to);
    for (const keyName of names) {
      if (opened.keys.has(keyName)) await opened.checkCanary({ backend, bucket: options.bucket, keyName });
    }
  }

  async #knownKeys(): Promise<ReadonlyMap<string, KnownKey>> {
    const { opened, settings, signal } = this.#parts;
    const { ttlMs } = settings.dataKeyCache;
    const known = new Map<string, KnownKey>();
    for (const [name, provider] of opened.keys) {
      const { versions } = await provider.describe(signal);
      known.set(name, { versions, takeUps: await takeUpsOf(provider, { ttlMs, signal }) });
    }
    return known;
  }

  [Symbol.dispose](): void {
    this.#dataKeys.close();
  }
}

function placeOf({ bucket, prefix, shard, dryRun }: RewrapOptions, backend: string) {
  return {
    backend,
    bucket,
    dry_run: dryRun === true,
    ...(prefix === '' ? {} : { prefix }),
    ...(shard === undefined ? {} : { shard: `${shard.index}/${shard.count}` }),
  };
}

function familyIn(keys: ReadonlyMap<string, KeyProvider>, { keyName, keyVersion }: KeyVersion): string {
  return keys.get(keyName)?.familyOf?.(keyVersion) ?? keyVersion;
}

/** How many objects a bar has before it: a request for every thousand. */
async function countOf(job: RewrapJobOptions, signal: AbortSignal): Promise<number> {
  let count = 0;
  for await (const { versions } of versionPages({ ...job, from: undefined }, signal)) {
    count += versions.filter(({ isLatest }) => isLatest || job.rewrapVersions).length;
  }
  return count;
}

function observerOf(progress: Progress, state: StateFile | undefined): RewrapObserver {
  return {
    seen(key, outcome) {
      progress.advance(1);
      if (outcome === 'busy') progress.problem(`busy       ${printable(key)}`);
    },
    failed(key, error) {
      progress.advance(1);
      progress.problem(`failed     ${printable(`${key}: ${messageOf(error)}`)}`);
    },
    async position(position) {
      await state?.write(position);
    },
  };
}
