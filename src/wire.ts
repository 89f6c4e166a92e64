import { BlockList, isIPv6 } from 'node:net';

import { messageOf } from './base/message-of.ts';
import { FlowBudget } from './base/flow-budget.ts';
import type { AdminRequest } from './admin/admin-answer.ts';
import { createAdminHandler } from './admin/admin-handler.ts';
import type { RotationObserver } from './admin/api.ts';
import type { HealthCheck } from './admin/readiness.ts';
import { tidedOver } from './admin/tided-over.ts';
import { KeyAudit, type CanaryMismatch } from './audit/key-audit.ts';
import { openAudit } from './audit/open-audit.ts';
import type { BackendSettings, KeySettings, Settings } from './config/settings.ts';
import { isSuiteAvailable } from './crypto/aead.ts';
import { cryptoInUse } from './crypto/crypto-in-use.ts';
import { HttpServer } from './http/server.ts';
import { openSegmentPool } from './crypto/pool/open-pool.ts';
import { DataKeys } from './keys/data-keys.ts';
import { DualReadWindow } from './keys/dual-read-window.ts';
import type { KeyEvents } from './keys/key-events.ts';
import type { KeyProvider } from './keys/key-provider.ts';
import { LocalKeyring } from './keys/local/local-keyring.ts';
import { RecoveryPublicKey } from './keys/recovery-key.ts';
import { RotationSchedule } from './keys/rotation-schedule.ts';
import { RotationScheduler, type RotationLease } from './keys/rotation-scheduler.ts';
import { StoreRotationLease } from './maintenance/store-rotation-lease.ts';
import { CanaryGuard, type GuardedKey } from './operations/canary-guard.ts';
import { CorsConfigurations } from './operations/cors.ts';
import type { Backend, Gateway } from './operations/gateway.ts';
import { EnvelopesBeside } from './operations/envelope-beside.ts';
import { LayoutCache } from './operations/layout-cache.ts';
import { KnownParts } from './operations/known-parts.ts';
import { FirstPartSizes } from './operations/part-placement.ts';
import { createS3Handler } from './operations/pipeline.ts';
import { globMatch } from './policy/glob.ts';
import { resolveSuites, type ConfiguredPolicy } from './policy/policy.ts';
import { PolicySet } from './policy/policy-set.ts';
import { FilesystemStore } from './store/filesystem/filesystem-store.ts';
import type { ObjectStore } from './store/object-store.ts';
import { noQuirks } from './store/quirks.ts';
import { S3Store } from './store/s3/s3-store.ts';
import { createLogger, silentLogger, standardLines, type Logger } from './telemetry/logger.ts';
import { MetricsRegistry } from './telemetry/metrics.ts';
import { registerCryptoMetrics } from './telemetry/crypto-metrics.ts';
import { registerKeyMetrics } from './telemetry/key-metrics.ts';
import { registerProcessMetrics } from './telemetry/process-metrics.ts';
import { Telemetry, type KeyRotation } from './telemetry/telemetry.ts';
import { StoreLedger } from './uploads/store/store-ledger.ts';

/** Version of the gateway, for logs and metrics. */
export const version = '0.1.0';

/** Buckets in which a key's canary is looked for at start; the others are checked before the first write to them. */
const maxCanaryBuckets = 20;

/** What a key is opened with: its dual-read window does not matter then. */
export type OpenableKey = KeySettings extends infer Key
  ? Key extends KeySettings
    ? Omit<Key, 'readPrevious'>
    : never
  : never;

/** A gateway that serves. */
export interface RunningGateway {
  readonly s3: { readonly host: string; readonly port: number };
  readonly admin: { readonly host: string; readonly port: number };
  readonly logger: Logger;
  /** Opens the files of audit events anew. */
  reopenAudit(): void;
  /** Finishes running requests within the drain timeout, then releases everything; keys are zeroed. */
  close(): Promise<void>;
}

/**
 * Puts the gateway together and starts both listeners.
 * @throws KeyError where a key is not the one that the stored data was encrypted with; the system's error where a
 * listener cannot start.
 */
export async function startGateway(settings: Settings): Promise<RunningGateway> {
  const registry = new MetricsRegistry();
  const lines = standardLines();
  const logger = createLogger(settings.telemetry.logLevel, lines);
  const { bucketLabels } = settings.telemetry.metrics;
  const telemetry = new Telemetry({ logger, registry, bucketLabels, version });
  const budget = new FlowBudget();
  // Where the start fails, everything that was opened before is closed again.
  await using opened = new AsyncDisposableStack();
  const trail = await openAudit(settings.audit.sinks ?? [{ type: 'stdout' }], {
    stream: { kind: 'stdout', write: (line) => lines.write(line) },
    onWritten: (written) => telemetry.auditEvent(written),
  });
  opened.use(trail);
  const audit = new KeyAudit(trail);
  const keys = await openKeys(settings, { create: true, opened });
  const backends = await openBackends(settings, { telemetry, budget, opened });
  const providers = new Map(Array.from(keys, ([name, { provider }]) => [name, provider]));
  const dataKeys = new DataKeys(providers, settings.dataKeyCache, {
    metrics: keyEvents(telemetry, audit),
    ...recoveryOf(settings),
  });
  opened.defer(() => dataKeys.close());
  const inUse = cryptoInUse(settings.crypto);
  telemetry.cryptoChosen({ ...inUse, hardware: settings.crypto.hardware });
  const segmentPool = openSegmentPool(settings.crypto.threads, {
    onThreadFailed: (error) => logger.error('a crypto thread failed', { reason: error.message }),
  });
  opened.use(segmentPool);
  const policies = PolicySet.of(
    resolveSuites(settings.policies, { suite: inUse.suite, isAvailable: isSuiteAvailable }),
  );
  const canaries = guardCanaries(settings, keys, (mismatch) => audit.canaryMismatch(mismatch, { actor: 'gateway' }));
  await checkCanaries(settings, { canaries, backends, policies, logger });
  const handler = createS3Handler(
    gatewayOf(settings, { backends, policies, dataKeys, segmentPool, canaries, telemetry }),
  );
  let isServing = true;
  const onError = (error: Error & { readonly code: string }, requestId: string): void =>
    telemetry.listenerError({ requestId, reason: error.code, error });
  const { listen, admin } = settings;
  const s3Server = await HttpServer.start({ ...listen, handler, onError, budget });
  opened.defer(async () => s3Server.close());
  opened.use(registerProcessMetrics(registry, budget));
  registerKeyMetrics(registry, dataKeys);
  registerCryptoMetrics(registry, segmentPool);
  const unrestricted = new Map(Array.from(keys, ([name, key]) => [name, key.unrestricted]));
  const scheduler = opened.use(scheduleRotations(settings, { keys: unrestricted, backends, telemetry, audit }));
  const adminServer = await HttpServer.start({
    ...admin,
    drainTimeoutMs: 1000,
    handler: createAdminHandler({
      registry,
      serving: () => isServing,
      checks: healthChecks(backends, providers, { ...settings.dataKeyCache, audit }),
      api: {
        ...(admin.token === undefined ? {} : { token: admin.token }),
        keys: unrestricted,
        rotationObserver: (request) => rotationByApi(request, { telemetry, audit }),
      },
    }),
    onError,
  });
  const kept = opened.move();
  return {
    s3: s3Server.address(),
    admin: adminServer.address(),
    logger,
    reopenAudit: () => trail.reopen(),
    async close() {
      isServing = false;
      scheduler[Symbol.dispose]();
      // Health is told, and metrics are given, until the last request is done.
      await s3Server.close();
      await adminServer.close();
      await kept.disposeAsync();
      logger.flush();
    },
  };
}

/** For whom bucket keys are sealed a second time, as `DataKeys` takes it. */
export function recoveryOf({ recoveryPublicKey }: Settings): { readonly recovery?: RecoveryPublicKey } {
  return recoveryPublicKey === undefined ? {} : { recovery: RecoveryPublicKey.ofPem(recoveryPublicKey) };
}

interface RotationParts {
  readonly keys: ReadonlyMap<string, KeyProvider>;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly telemetry: Telemetry;
  readonly audit: KeyAudit;
}

function scheduleRotations(settings: Settings, { keys, backends, telemetry, audit }: RotationParts): RotationScheduler {
  const { rotationSchedules, multipart } = settings;
  const leases = new Map<string, RotationLease>();
  for (const name of rotationSchedules.keys()) {
    const policy = settings.policies.find(({ encryption }) => encryption.key === name);
    const backend = backends.get(policy?.backend ?? '') ?? [...backends.values()][0];
    if (backend !== undefined) leases.set(name, new StoreRotationLease({ store: backend.store, ...multipart }));
  }
  const leaseOf = (name: string): RotationLease => {
    const lease = leases.get(name);
    if (lease === undefined) throw new Error(`no backend for the rotation of key ${name}`);
    return lease;
  };
  const recorded = audit.rotationBy({ actor: 'schedule' });
  return new RotationScheduler({
    schedules: new Map(Array.from(rotationSchedules, ([name, pattern]) => [name, new RotationSchedule(pattern)])),
    providers: keys,
    lease: {
      claim: (due, claim) => leaseOf(due.keyName).claim(due, claim),
      finish: (due, version) => leaseOf(due.keyName).finish(due, version),
    },
    events: {
      started: (event) => void recorded.started(event),
      skipped: (event) => void audit.rotationSkipped(event),
      rotated: (event) => {
        telemetry.keyRotated(rotationOf(event), 'schedule');
        void recorded.rotated(event);
      },
      failed: (event) => {
        telemetry.keyRotationFailed(event);
        void recorded.failed(event);
      },
    },
  });
}

function rotationByApi(
  { requestId, remoteAddress }: AdminRequest,
  { telemetry, audit }: Pick<RotationParts, 'telemetry' | 'audit'>,
): RotationObserver {
  const recorded = audit.rotationBy({
    actor: 'admin_api',
    ...(remoteAddress === undefined ? {} : { remote_address: remoteAddress }),
    ...(requestId === undefined ? {} : { request_id: requestId }),
  });
  return {
    ...recorded,
    async rotated(event) {
      telemetry.keyRotated(rotationOf(event), 'api');
      await recorded.rotated(event);
    },
  };
}

function rotationOf(event: {
  readonly keyName: string;
  readonly previous: string;
  readonly current: string;
}): KeyRotation {
  return { keyName: event.keyName, keyVersion: event.current, previousVersion: event.previous };
}

/** What a command works with that changes stored objects without serving them. */
export interface OpenedStores extends AsyncDisposable {
  readonly stores: ReadonlyMap<string, ObjectStore>;
  /** Without dual-read windows: every version opens. */
  readonly keys: ReadonlyMap<string, KeyProvider>;
  /** Names of the backends that a policy keeps a bucket in. */
  backendsOf(bucket: string): readonly string[];
  /**
   * Holds a key to its canary in a bucket, and brings the canary under the key's current version.
   * @throws KeyError `misconfigured` for the wrong key.
   */
  checkCanary(at: { readonly backend: string; readonly bucket: string; readonly keyName: string }): Promise<void>;
}

/**
 * Opens the backends and keys of a configuration for a command; makes no keyring.
 * @throws KeyError, S3Error.
 */
export async function openStores(
  settings: Settings,
  onMismatch?: (mismatch: CanaryMismatch) => Promise<void>,
): Promise<OpenedStores> {
  const registry = new MetricsRegistry();
  const telemetry = new Telemetry({ logger: silentLogger, registry, bucketLabels: [], version });
  await using opened = new AsyncDisposableStack();
  const keys = await openKeys(settings, { create: false, opened });
  const backends = await openBackends(settings, { telemetry, budget: new FlowBudget(), opened });
  const canaries = guardCanaries(settings, keys, onMismatch);
  const kept = opened.move();
  return {
    stores: new Map(Array.from(backends, ([name, { store }]) => [name, store])),
    keys: new Map(Array.from(keys, ([name, { unrestricted }]) => [name, unrestricted])),
    backendsOf: (name) => {
      const isKept = ({ match: { buckets } }: ConfiguredPolicy): boolean =>
        buckets.length === 0 || buckets.some((pattern) => globMatch(pattern, name));
      return [...new Set(settings.policies.filter(isKept).map((policy) => policy.backend))];
    },
    async checkCanary({ backend: name, ...at }) {
      const backend = backends.get(name);
      if (backend !== undefined) await canaries.check({ backend, ...at });
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Each key is put onto `opened` as soon as it is open: one that fails must not keep those before it. */
async function openKeys(
  settings: Settings,
  { create, opened }: { readonly create: boolean; readonly opened: AsyncDisposableStack },
): Promise<ReadonlyMap<string, GuardedKey>> {
  const keys = new Map<string, GuardedKey>();
  for (const [name, key] of settings.keys) {
    const unrestricted = await openKey(name, key, { create });
    opened.defer(async () => unrestricted.close());
    keys.set(name, { unrestricted, provider: new DualReadWindow(unrestricted, { readPrevious: key.readPrevious }) });
  }
  return keys;
}

/**
 * The provider of one key, without a window; without `create` a keyring file must be there. A key service is not asked yet.
 * @throws KeyError `misconfigured`.
 */
export async function openKey(
  name: string,
  key: OpenableKey,
  { create }: { readonly create: boolean },
): Promise<KeyProvider> {
  if (key.type === 'local') return LocalKeyring.open({ name, file: key.file, create });
  // Loaded only where they are used: the client of a key service takes its time.
  if (key.type === 'aws-kms') {
    const { AwsKmsKey } = await import('./keys/aws-kms/aws-kms-key.ts');
    return AwsKmsKey.open({ ...key, name });
  }
  const { VaultTransitKey } = await import('./keys/vault-transit/transit-key.ts');
  return new VaultTransitKey({ ...key, name });
}

interface BackendParts {
  readonly telemetry: Telemetry;
  readonly budget: FlowBudget;
  readonly opened: AsyncDisposableStack;
}

/** Likewise for the backends. */
async function openBackends(
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
  if (settings.type === 'filesystem') return FilesystemStore.open({ root: settings.root, budget });
  return new S3Store(settings, {
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
  const budget = new FlowBudget();
  if (settings.type === 'filesystem') return FilesystemStore.open({ root: settings.root, budget });
  return new S3Store(settings, { budget });
}

function keyEvents(telemetry: Telemetry, audit: KeyAudit): KeyEvents {
  return {
    wrap: (event) => telemetry.keyOperation({ ...event, operation: 'wrap' }),
    unwrap: (event) => telemetry.keyOperation({ ...event, operation: 'unwrap' }),
    cacheHit: ({ offline, ...event }) => telemetry.keyCacheLookup({ ...event, outcome: offline ? 'offline' : 'hit' }),
    cacheMiss: (event) => telemetry.keyCacheLookup({ ...event, outcome: 'miss' }),
    read: (event) => telemetry.keyRead(event),
    rotated: (event) => {
      telemetry.keyRotationSeen(rotationOf(event));
      void audit.takenUp(event);
    },
  };
}

function gatewayOf(
  settings: Settings,
  parts: Pick<Gateway, 'backends' | 'policies' | 'dataKeys' | 'segmentPool' | 'canaries' | 'telemetry'>,
): Gateway {
  const { multipart, listen } = settings;
  return {
    ...parts,
    accessKeys: new Map(settings.credentials.map((credential) => [credential.accessKeyId, credential])),
    layouts: new LayoutCache(),
    envelopesBeside: new EnvelopesBeside(),
    knownParts: new KnownParts(),
    firstPartSizes: new FirstPartSizes(),
    cors: new CorsConfigurations(),
    reservedPrefix: multipart.prefix,
    ...(multipart.bucket === undefined ? {} : { ledgerBucket: multipart.bucket }),
    publicHosts: listen.publicHosts,
    trustsProxy: trustedPeers(listen.trustedProxies),
  };
}

function trustedPeers(proxies: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (address) => {
    const plain = address.replace(/^::ffff:/i, '');
    return list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
  };
}

function healthChecks(
  backends: ReadonlyMap<string, Backend>,
  providers: ReadonlyMap<string, KeyProvider>,
  { audit, ...times }: { readonly offlineTtlMs: number; readonly audit: KeyAudit },
): Readonly<Record<string, HealthCheck>> {
  const checks: Record<string, HealthCheck> = {};
  for (const [name, { store }] of backends) checks[`backend:${name}`] = (signal) => store.health({ signal });
  for (const [name, provider] of providers)
    checks[`key:${name}`] = tidedOver(
      audit.watched(name, (signal) => provider.health(signal)),
      times,
    );
  return checks;
}

function guardCanaries(
  { multipart: { prefix, bucket } }: Settings,
  keys: ReadonlyMap<string, GuardedKey>,
  onMismatch?: (mismatch: CanaryMismatch) => Promise<void>,
): CanaryGuard {
  return new CanaryGuard({
    keys,
    prefix,
    ...(bucket === undefined ? {} : { bucket }),
    ...(onMismatch === undefined
      ? {}
      : {
          onMismatch: (target, error) => {
            const { keyName, bucket: name } = target;
            return onMismatch({ keyName, bucket: name, backend: target.backend.name, error });
          },
        }),
  });
}

interface CanaryCheck {
  readonly canaries: CanaryGuard;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly policies: PolicySet;
  readonly logger: Logger;
}

/** Refuses to start with a key that is not the one that the buckets' data was encrypted with. */
async function checkCanaries(settings: Settings, check: CanaryCheck): Promise<void> {
  for (const policy of settings.policies) {
    const backend = check.backends.get(policy.backend);
    if (policy.encryption.mode === 'off' || backend === undefined) continue;
    for (const bucket of await canaryBuckets(settings, check, policy.name, backend)) {
      await check.canaries.check({ backend, bucket, keyName: policy.encryption.key });
    }
  }
}

async function canaryBuckets(
  settings: Settings,
  { policies, logger }: CanaryCheck,
  policyName: string,
  backend: Backend,
): Promise<readonly string[]> {
  if (settings.multipart.bucket !== undefined) return [settings.multipart.bucket];
  try {
    const buckets = await backend.store.listBuckets();
    return buckets
      .map(({ name }) => name)
      .filter((bucket) => policies.decide({ bucket, key: '', accessKeyId: '' })?.name === policyName)
      .slice(0, maxCanaryBuckets);
  } catch (error) {
    // Each bucket is checked before the first write to it.
    const reason = messageOf(error);
    logger.warn('key canaries are not checked at start: the backend did not list its buckets', {
      backend: backend.name,
      reason,
    });
    return [];
  }
}
