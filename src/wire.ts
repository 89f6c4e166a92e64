import type { Socket } from 'node:net';

import { FlowBudget } from './base/flow-budget.ts';
import type { AdminRequest } from './admin/admin-answer.ts';
import { createAdminHandler, type AdminHandler, type AdminOptions } from './admin/admin-handler.ts';
import type { RotationObserver } from './admin/api.ts';
import type { HealthCheck } from './admin/readiness.ts';
import { tidedOver } from './admin/tided-over.ts';
import type { AuditTrail } from './audit/audit-trail.ts';
import { KeyAudit, type CanaryMismatch } from './audit/key-audit.ts';
import { openAudit } from './audit/open-audit.ts';
import type { BackendSettings, KeySettings, Settings } from './config/settings.ts';
import { isSuiteAvailable } from './crypto/aead.ts';
import { cryptoInUse, type CryptoInUse } from './crypto/crypto-in-use.ts';
import { HttpServer, type HttpServerOptions } from './http/server.ts';
import { trustedPeers } from './http/trusted-peers.ts';
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
import { checkCanaries } from './operations/canary-check.ts';
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
import type { LineBatch } from './telemetry/line-batch.ts';
import { MetricsRegistry } from './telemetry/metrics.ts';
import { registerCryptoMetrics } from './telemetry/crypto-metrics.ts';
import { registerKeyMetrics } from './telemetry/key-metrics.ts';
import { registerProcessMetrics } from './telemetry/process-metrics.ts';
import { Telemetry, type KeyRotation } from './telemetry/telemetry.ts';
import { StoreLedger } from './uploads/store/store-ledger.ts';

/** Version of the gateway, for logs and metrics. */
export const version = '0.1.0';

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
  /**
   * Takes another configuration without a request that fails; not there where one process does everything. Never rejects: a
   * refusal is logged, and nothing changes.
   */
  reload?(): Promise<void>;
  /** Finishes running requests within the drain timeout, then releases everything; keys are zeroed. */
  close(): Promise<void>;
}

/** Where a process says what happens in it. */
export interface Observation {
  readonly registry: MetricsRegistry;
  readonly telemetry: Telemetry;
  /** Standard output. */
  readonly lines: LineBatch;
}

/** The metrics and the log of this process, which may be one of several. `worker` is the number of a worker process. */
export function observe(
  { telemetry: { logLevel, metrics } }: Settings,
  { isShared = false, worker }: { readonly isShared?: boolean; readonly worker?: number } = {},
): Observation {
  const registry = new MetricsRegistry();
  const lines = standardLines({ isShared });
  const logger = createLogger(logLevel, lines, worker === undefined ? {} : { worker });
  const telemetry = new Telemetry({ logger, registry, bucketLabels: metrics.bucketLabels, version });
  return { registry, telemetry, lines };
}

/**
 * Puts the gateway together in one process and starts both listeners.
 * @throws KeyError where a key is not the one that the stored data was encrypted with; the system's error where a
 * listener cannot start.
 */
export async function startGateway(settings: Settings): Promise<RunningGateway> {
  // Where the start fails, everything that was opened before is closed again.
  await using opened = new AsyncDisposableStack();
  const observation = observe(settings);
  const parts = await openParts(settings, { ...observation, create: true, opened, budget: new FlowBudget() });
  await checkCanaries({ ...parts, configured: settings.policies, onlyBucket: settings.multipart.bucket });
  let isServing = true;
  const s3Server = await listenForS3(settings, { ...parts, opened });
  const { scheduler, handler } = controlOf(settings, {
    ...parts,
    opened,
    metrics: observation.registry,
    serving: () => isServing,
  });
  const adminServer = await listenForAdmin(settings, handler, parts.telemetry);
  const kept = opened.move();
  const { logger } = parts.telemetry;
  return {
    s3: s3Server.address(),
    admin: adminServer.address(),
    logger,
    reopenAudit: () => parts.trail.reopen(),
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

/** A worker process that serves S3, and nothing else. */
export interface RunningWorker extends Observation {
  /** Connections that it has. */
  readonly connections: number;
  /** Takes a connection. @returns false while closing: the socket is still the caller's. */
  adopt(socket: Socket): boolean;
  /** Opens the files of audit events anew. */
  reopenAudit(): void;
  /** As `RunningGateway.close`; idle connections are closed after `idleGraceMs`. */
  close(options: { readonly idleGraceMs: number }): Promise<void>;
}

/** What one worker is. */
export interface WorkerShare {
  /** Its number, from 1. */
  readonly worker: number;
  /** How many there are: what the gateway may use is divided among them. */
  readonly workers: number;
  /** What the control plane found out. */
  readonly crypto: CryptoInUse;
}

/**
 * Starts what a worker process does. Keys are there and checked already, and others see to the rotations.
 * @throws as `startGateway`.
 */
export async function startWorker(
  settings: Settings,
  { worker, workers, crypto }: WorkerShare,
): Promise<RunningWorker> {
  await using opened = new AsyncDisposableStack();
  const observation = observe(settings, { isShared: true, worker });
  const parts = await openParts(shareOfConnections(settings, workers), {
    ...observation,
    create: false,
    crypto,
    opened,
    budget: FlowBudget.shareOf(workers),
  });
  const s3Server = HttpServer.adopting(s3ServerOf(settings, { ...parts, opened }));
  opened.defer(async () => s3Server.close());
  const kept = opened.move();
  return {
    ...observation,
    get connections() {
      return s3Server.adoptedConnections;
    },
    adopt: (socket) => s3Server.adopt(socket),
    reopenAudit: () => parts.trail.reopen(),
    async close(options) {
      await s3Server.close(options);
      await kept.disposeAsync();
      observation.telemetry.logger.flush();
    },
  };
}

/** What `maxConnections` bounds is bounded for all workers together. */
function shareOfConnections(settings: Settings, workers: number): Settings {
  const backends = Array.from(settings.backends, ([name, backend]): [string, BackendSettings] => [
    name,
    backend.type === 's3' ? { ...backend, maxConnections: Math.ceil(backend.maxConnections / workers) } : backend,
  ]);
  return { ...settings, backends: new Map(backends) };
}

/** What belongs to a gateway, and not to each of its workers: health, the API, rotations that are due. */
export interface ControlPlane extends AsyncDisposable {
  readonly handler: AdminHandler;
  /** What new objects are encrypted with. */
  readonly crypto: CryptoInUse;
  /** Opens the files of audit events anew. */
  reopenAudit(): void;
}

/** What a control plane works with. */
export interface ControlOptions extends Observation {
  /** What `/metrics` shows. */
  readonly metrics: AdminOptions['registry'];
  readonly serving: () => boolean;
  /** Health beside that of backends and keys, by name. */
  readonly checks: Readonly<Record<string, HealthCheck>>;
}

/**
 * Opens backends and keys without serving them, makes a keyring that is missing, and checks the canaries.
 * @throws as `startGateway`.
 */
export async function openControlPlane(settings: Settings, options: ControlOptions): Promise<ControlPlane> {
  await using opened = new AsyncDisposableStack();
  const parts = await openParts(settings, { ...options, create: true, opened, budget: new FlowBudget() });
  await checkCanaries({ ...parts, configured: settings.policies, onlyBucket: settings.multipart.bucket });
  const { handler } = controlOf(settings, { ...parts, ...options, opened });
  const kept = opened.move();
  return {
    handler,
    crypto: parts.crypto,
    reopenAudit: () => parts.trail.reopen(),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/**
 * Starts the admin listener.
 * @throws the system's error.
 */
export function listenForAdmin(
  { admin: { host, port } }: Settings,
  handler: AdminHandler,
  telemetry: Telemetry,
): Promise<HttpServer> {
  return HttpServer.start({ host, port, drainTimeoutMs: 1000, handler, onError: errorsTo(telemetry) });
}

/** Everything that is behind the listeners. */
interface Parts extends Observation {
  readonly trail: AuditTrail;
  readonly audit: KeyAudit;
  readonly keys: ReadonlyMap<string, GuardedKey>;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly providers: ReadonlyMap<string, KeyProvider>;
  readonly crypto: CryptoInUse;
  readonly policies: PolicySet;
  readonly canaries: CanaryGuard;
  readonly budget: FlowBudget;
}

interface PartsOptions extends Observation {
  /** Whether a keyring that is missing is made. */
  readonly create: boolean;
  /** Where it is known already; else it is found out, and told. */
  readonly crypto?: CryptoInUse;
  readonly opened: AsyncDisposableStack;
  readonly budget: FlowBudget;
}

async function openParts(settings: Settings, options: PartsOptions): Promise<Parts> {
  const { registry, telemetry, lines, budget, opened } = options;
  const trail = await openAudit(settings.audit.sinks ?? [{ type: 'stdout' }], {
    stream: { kind: 'stdout', write: (line) => lines.write(line) },
    onWritten: (written) => telemetry.auditEvent(written),
  });
  opened.use(trail);
  const audit = new KeyAudit(trail);
  const keys = await openKeys(settings, options);
  const backends = await openBackends(settings, options);
  const providers = new Map(Array.from(keys, ([name, { provider }]) => [name, provider]));
  const crypto = options.crypto ?? measuredCrypto(settings, telemetry);
  const resolved = resolveSuites(settings.policies, { suite: crypto.suite, isAvailable: isSuiteAvailable });
  const canaries = guardCanaries(settings, keys, (mismatch) => audit.canaryMismatch(mismatch, { actor: 'gateway' }));
  const opening = { registry, telemetry, lines, budget, trail, audit };
  return { ...opening, keys, backends, providers, crypto, policies: PolicySet.of(resolved), canaries };
}

function measuredCrypto({ crypto }: Settings, telemetry: Telemetry): CryptoInUse {
  const inUse = cryptoInUse(crypto);
  telemetry.cryptoChosen({ ...inUse, hardware: crypto.hardware });
  return inUse;
}

interface OpenedParts extends Parts {
  readonly opened: AsyncDisposableStack;
}

async function listenForS3(settings: Settings, parts: OpenedParts): Promise<HttpServer> {
  const server = await HttpServer.start({ ...settings.listen, ...s3ServerOf(settings, parts) });
  parts.opened.defer(async () => server.close());
  return server;
}

/** What serves S3 over the parts; what is opened for it goes onto `opened`. */
function s3ServerOf(settings: Settings, parts: OpenedParts): Omit<HttpServerOptions, 'host' | 'port'> {
  const { opened, telemetry, audit, registry, budget, providers } = parts;
  const dataKeys = new DataKeys(providers, settings.dataKeyCache, {
    metrics: keyEvents(telemetry, audit),
    ...recoveryOf(settings),
  });
  opened.defer(() => dataKeys.close());
  opened.use(registerProcessMetrics(registry, budget));
  registerKeyMetrics(registry, dataKeys);
  const segmentPool = openSegmentPool(settings.crypto.threads, {
    bytesPerSecond: parts.crypto.bytesPerSecond[parts.crypto.suite],
    onThreadFailed: (error) => telemetry.logger.error('a crypto thread failed', { reason: error.message }),
  });
  opened.use(segmentPool);
  registerCryptoMetrics(registry, segmentPool);
  const handler = createS3Handler(gatewayOf(settings, { ...parts, dataKeys, segmentPool }));
  const { drainTimeoutMs, tls } = settings.listen;
  return { drainTimeoutMs, ...(tls === undefined ? {} : { tls }), handler, onError: errorsTo(telemetry), budget };
}

interface ControlParts extends OpenedParts {
  readonly metrics: AdminOptions['registry'];
  readonly serving: () => boolean;
  readonly checks?: Readonly<Record<string, HealthCheck>>;
}

function controlOf(
  settings: Settings,
  { opened, keys, backends, providers, telemetry, audit, metrics, serving, checks }: ControlParts,
): { readonly scheduler: RotationScheduler; readonly handler: AdminHandler } {
  const unrestricted = new Map(Array.from(keys, ([name, key]) => [name, key.unrestricted]));
  const scheduler = opened.use(scheduleRotations(settings, { keys: unrestricted, backends, telemetry, audit }));
  const { token } = settings.admin;
  const handler = createAdminHandler({
    registry: metrics,
    serving,
    checks: { ...checks, ...healthChecks(backends, providers, { ...settings.dataKeyCache, audit }) },
    api: {
      ...(token === undefined ? {} : { token }),
      keys: unrestricted,
      rotationObserver: (request) => rotationByApi(request, { telemetry, audit }),
    },
  });
  return { scheduler, handler };
}

function errorsTo(telemetry: Telemetry): NonNullable<HttpServerOptions['onError']> {
  return (error, requestId) => telemetry.listenerError({ requestId, reason: error.code, error });
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
