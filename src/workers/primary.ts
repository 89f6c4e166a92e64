import type { LoadedSettings } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import { mergeFamilies } from '../telemetry/metric-merge.ts';
import type { MetricFamily } from '../telemetry/metrics.ts';
import { registerProcessMetrics } from '../telemetry/process-metrics.ts';
import { WorkerTelemetry } from '../telemetry/worker-telemetry.ts';
import { listenForAdmin } from '../wire/admin.ts';
import { openControlPlane, type ControlPlane } from '../wire/control-plane.ts';
import type { RunningGateway } from '../wire/gateway.ts';
import { observe, type Observation } from '../wire/observation.ts';
import { SharedListener } from './shared-listener.ts';
import { Supervisor } from './supervisor.ts';
import { forkWorker } from './worker-process.ts';

/** Reads the configuration again. */
export type LoadAgain = () => Promise<LoadedSettings>;

/**
 * Starts a gateway of several processes. This one accepts connections and gives them to its workers, and does what is to be
 * done once: the admin listener, keys made at the first start, canaries, rotations. It serves no S3 request.
 * @throws as `startGateway`, and Error with what a worker says that cannot start.
 */
export async function startPrimary(settings: Settings, load: LoadAgain): Promise<RunningGateway> {
  await using opened = new AsyncDisposableStack();
  const primary = await Primary.open(settings, { load, opened });
  const admin = await listenForAdmin(settings, (request) => primary.handler(request), primary.telemetry);
  const kept = opened.move();
  const { logger } = primary.telemetry;
  return {
    s3: primary.s3,
    admin: admin.address(),
    logger,
    reload: () => primary.reload(),
    reopenAudit: () => primary.reopenAudit(),
    async close() {
      await primary.drain();
      await admin.close();
      await kept.disposeAsync();
      logger.flush();
    },
  };
}

class Primary {
  readonly #observation: Observation;
  readonly #events: WorkerTelemetry;
  readonly #supervisor: Supervisor;
  readonly #load: LoadAgain;
  #settings: Settings;
  #control: ControlPlane | undefined;
  #listener: SharedListener | undefined;
  #reloading: Promise<void> | undefined;
  #isAskedAgain = false;
  #isServing = true;

  private constructor(settings: Settings, load: LoadAgain) {
    this.#settings = settings;
    this.#load = load;
    this.#observation = observe(settings, { isShared: true });
    const { registry, telemetry } = this.#observation;
    this.#events = new WorkerTelemetry({ registry, logger: telemetry.logger });
    this.#supervisor = new Supervisor({ start: forkWorker, telemetry: this.#events });
  }

  /** What is opened goes onto `opened`. */
  static async open(
    settings: Settings,
    { load, opened }: { readonly load: LoadAgain; readonly opened: AsyncDisposableStack },
  ): Promise<Primary> {
    const primary = new Primary(settings, load);
    opened.use(registerProcessMetrics(primary.#observation.registry, { heldBytes: 0 }));
    primary.#control = await primary.#openControl(settings);
    opened.defer(async () => primary.#control?.[Symbol.asyncDispose]());
    primary.#listener = await primary.#listen(settings);
    opened.defer(() => primary.#listener?.[Symbol.dispose]());
    opened.defer(() => primary.#supervisor.stop());
    await primary.#supervisor.start({ settings, workers: settings.workers, crypto: primary.#control.crypto });
    return primary;
  }

  get telemetry(): Observation['telemetry'] {
    return this.#observation.telemetry;
  }

  get s3(): RunningGateway['s3'] {
    if (this.#listener === undefined) throw new Error('the gateway does not listen');
    return this.#listener.address();
  }

  get handler(): ControlPlane['handler'] {
    if (this.#control === undefined) throw new Error('the gateway is not open');
    return this.#control.handler;
  }

  /** Ends all workers when their requests are done. */
  async drain(): Promise<void> {
    this.#isServing = false;
    this.#listener?.[Symbol.dispose]();
    await this.#supervisor.stop();
    await this.#reloading;
  }

  reopenAudit(): void {
    this.#control?.reopenAudit();
    this.#supervisor.reopenAudit();
  }

  /** One after the other; however often it is asked for in the meantime, once more afterwards is enough. */
  reload(): Promise<void> {
    this.#isAskedAgain = true;
    this.#reloading ??= this.#reloadWhileAsked().finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  async #reloadWhileAsked(): Promise<void> {
    while (this.#isAskedAgain && this.#isServing) {
      this.#isAskedAgain = false;
      try {
        await this.#reloadOnce();
        if (this.#isServing) this.#events.reloaded();
      } catch (error) {
        if (this.#isServing) this.#events.reloadRefused(error);
      }
    }
  }

  async #reloadOnce(): Promise<void> {
    const { settings, warnings } = await this.#load();
    refuseWhatNeedsARestart(this.#settings, settings);
    for (const warning of warnings) this.telemetry.logger.warn(warning);
    await using kept = new AsyncDisposableStack();
    const control = kept.use(await this.#openControl(settings));
    const listener = this.#isElsewhere(settings) ? kept.use(await this.#listen(settings)) : undefined;
    await this.#supervisor.replace({ settings, workers: settings.workers, crypto: control.crypto });
    kept.move();
    const old = this.#control;
    this.#control = control;
    this.#settings = settings;
    if (listener !== undefined) this.#moveTo(listener);
    await old?.[Symbol.asyncDispose]();
  }

  #isElsewhere({ listen }: Settings): boolean {
    return listen.host !== this.#settings.listen.host || listen.port !== this.#settings.listen.port;
  }

  #moveTo(listener: SharedListener): void {
    this.#listener?.[Symbol.dispose]();
    this.#listener = listener;
    const { host, port } = listener.address();
    this.telemetry.logger.info('S3 listener moved', { address: `${host}:${port}` });
  }

  #listen(settings: Settings): Promise<SharedListener> {
    return SharedListener.start(settings.listen, (socket) => this.#supervisor.give(socket));
  }

  #openControl(settings: Settings): Promise<ControlPlane> {
    return openControlPlane(settings, {
      ...this.#observation,
      metrics: { collect: () => this.#collect() },
      serving: () => this.#isServing,
      checks: { workers: async () => this.#supervisor.health() },
    });
  }

  async #collect(): Promise<readonly MetricFamily[]> {
    const ofWorkers = await this.#supervisor.collect();
    return mergeFamilies([this.#observation.registry.collect(), ofWorkers]);
  }
}

function refuseWhatNeedsARestart(now: Settings, next: Settings): void {
  if (next.admin.host !== now.admin.host || next.admin.port !== now.admin.port) {
    throw new Error('admin.host and admin.port change with a restart only');
  }
  if (next.crypto.hardware !== now.crypto.hardware) throw new Error('crypto.hardware changes with a restart only');
  if (next.credentials.length === 0) throw new Error('there are no credentials any more');
}
