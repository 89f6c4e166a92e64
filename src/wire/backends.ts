import { FlowBudget } from '../base/flow-budget.ts';
import type { BackendSettings, Settings } from '../config/settings.ts';
import type { Backend } from '../operations/gateway.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { noQuirks } from '../store/quirks.ts';
import type { S3StoreHooks } from '../store/s3/options.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { StoreLedger } from '../uploads/store/store-ledger.ts';

interface BackendParts {
  readonly telemetry: Telemetry;
  readonly budget: FlowBudget;
  readonly opened: AsyncDisposableStack;
}

/**
 * Opens all backends of a configuration, each with its ledger of multipart uploads. Each is put onto `opened` as soon as
 * it is open.
 * @throws S3Error, the system's error where a folder cannot be used.
 */
export async function openBackends(
  settings: Settings,
  { telemetry, budget, opened }: BackendParts,
): Promise<ReadonlyMap<string, Backend>> {
  const backends = new Map<string, Backend>();
  const { prefix, bucket } = settings.multipart;
  for (const [name, backend] of settings.backends) {
    const store = await openStore(name, backend, { telemetry, budget });
    opened.defer(async () => store.close());
    const ledger = new StoreLedger(store, { prefix, ...(bucket === undefined ? {} : { bucket }) });
    const quirks = backend.type === 's3' ? backend.quirks : noQuirks;
    backends.set(name, { name, store, quirks, ledger });
  }
  return backends;
}

async function openStore(
  backend: string,
  settings: BackendSettings,
  { telemetry, budget }: { readonly telemetry: Telemetry; readonly budget: FlowBudget },
): Promise<ObjectStore> {
  return storeOf(settings, {
    budget,
    onRequest: ({ operation, status, durationMs }) =>
      telemetry.backendRequest({ backend, operation, outcome: String(status ?? 'no_answer'), durationMs, attempt: 1 }),
    onRetry: ({ operation, attempt, error }) =>
      telemetry.logger.warn('backend request is tried again', { backend, operation, attempt, reason: error.message }),
    onCredentialsRefused: ({ operation, code }) =>
      telemetry.logger.error('the backend refused the gateway’s credentials', { backend, operation, reason: code }),
  });
}

/** The store of a backend, for a command: nothing is measured or logged. */
export async function openBareStore(settings: BackendSettings): Promise<ObjectStore> {
  return storeOf(settings, { budget: new FlowBudget() });
}

/** Loads only the adapter that is used: each keeps megabytes. */
async function storeOf(
  settings: BackendSettings,
  hooks: S3StoreHooks & { readonly budget: FlowBudget },
): Promise<ObjectStore> {
  if (settings.type === 'filesystem') {
    const { FilesystemStore } = await import('../store/filesystem/filesystem-store.ts');
    return FilesystemStore.open({ root: settings.root, budget: hooks.budget });
  }
  const { S3Store } = await import('../store/s3/s3-store.ts');
  return new S3Store(settings, hooks);
}
