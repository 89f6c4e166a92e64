import { errorFields, type Logger } from './logger.ts';
import { metricCatalogue } from './metric-catalogue.ts';
import type { Counter, Gauge, Histogram, MetricsRegistry } from './metrics.ts';

/** How a request ended, seen from outside. */
export type RequestOutcome =
  | 'ok'
  | 'client_error' // answered 4xx, or 501: what a client asked for that is not served
  | 'server_error' // answered another 5xx
  | 'broken' // the connection was broken because the answer failed on its way
  | 'aborted'; // the client went away

/** One S3 request, when its answer is over. */
export interface RequestFinished {
  readonly requestId: string;
  readonly remoteAddress?: string;
  /** Name from the operation table, or `Unknown`: never text of the client. */
  readonly operation: string;
  readonly status: number;
  readonly outcome: RequestOutcome;
  readonly durationMs: number;
  /** Plaintext bytes received and sent. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly accessKeyId?: string | undefined;
  readonly bucket?: string | undefined;
  readonly key?: string | undefined;
  readonly policy?: string | undefined;
  /** Code of the error document, where there was one. */
  readonly errorCode?: string | undefined;
  /** What caused an outcome that is our fault. */
  readonly error?: unknown;
}

/** An object that did not decrypt. */
export interface DecryptionFailed {
  readonly requestId?: string;
  /** From a closed list of reasons. */
  readonly reason: string;
  readonly bucket: string;
  readonly key: string;
  readonly keyName?: string;
  readonly keyVersion?: string;
  readonly error?: unknown;
}

/** One request to a backend; each retry is one. */
export interface BackendRequest {
  readonly backend: string;
  readonly operation: string;
  /** HTTP status, or the code of the error. */
  readonly outcome: string;
  /** Time to the answer's head. */
  readonly durationMs: number;
  /** 1 for the first try. */
  readonly attempt: number;
  readonly requestId?: string;
  readonly error?: unknown;
}

/** One call to a key provider. */
export interface KeyOperation {
  readonly keyName: string;
  readonly operation: 'wrap' | 'unwrap' | 'describe';
  /** `ok` or the code of the error. */
  readonly outcome: string;
  readonly durationMs: number;
  readonly keyVersion?: string;
  readonly error?: unknown;
}

/** One lookup of a bucket key in memory. */
export interface KeyCacheLookup {
  readonly keyName: string;
  readonly cache: 'wrap' | 'unwrap';
  /** `offline`: found past its ttl, and used because the key provider is not available. */
  readonly outcome: 'hit' | 'offline' | 'miss';
}

/** A version of a key that follows another one. */
export interface KeyRotation {
  readonly keyName: string;
  readonly keyVersion: string;
  readonly previousVersion: string;
}

/** An audit event that a sink has, or, with an error, has not. */
export interface AuditEventWritten {
  readonly event: string;
  readonly sink: string;
  readonly error?: unknown;
}

/** An exchange that the listener could not complete. */
export interface ListenerError {
  readonly requestId: string;
  readonly reason: string;
  readonly error: unknown;
}

/** What encrypts in this process. */
export interface CryptoInUse {
  /** Of new objects whose policy names none. */
  readonly suite: string;
  /** The setting `crypto.hardware`. */
  readonly hardware: 'auto' | 'off';
  /** Of the CPU, for ciphers and hashes; undefined where the system does not say. */
  readonly instructions: readonly string[] | undefined;
  /** Measured on one core, by suite. */
  readonly bytesPerSecond: Readonly<Record<'aes-256-gcm' | 'chacha20-poly1305', number>>;
}

/** What Telemetry is made of. */
export interface TelemetryOptions {
  readonly logger: Logger;
  readonly registry: MetricsRegistry;
  /** Buckets that get metrics of their own. */
  readonly bucketLabels: readonly string[];
  readonly version: string;
}

/** What happens in the gateway, one method per event: each updates the metrics and writes the log. */
export class Telemetry {
  readonly logger: Logger;
  readonly #bucketLabels: ReadonlySet<string>;
  readonly #cryptoInfo: Gauge<'suite' | 'hardware' | 'instructions'>;
  readonly #cryptoRate: Gauge<'suite'>;
  readonly #requests: Counter<'operation' | 'status'>;
  readonly #requestDuration: Histogram<'operation'>;
  readonly #inFlight: Gauge<never>;
  readonly #bytes: Counter<'direction'>;
  readonly #bucketRequests: Counter<'bucket' | 'operation'>;
  readonly #bucketBytes: Counter<'bucket' | 'direction'>;
  readonly #decryptionFailures: Counter<'reason'>;
  readonly #keyOperations: Counter<'key' | 'operation' | 'outcome'>;
  readonly #keyDuration: Histogram<'key' | 'operation'>;
  readonly #keyCacheLookups: Counter<'key' | 'cache' | 'outcome'>;
  readonly #keyReads: Counter<'key' | 'age'>;
  readonly #backendRequests: Counter<'backend' | 'operation' | 'outcome'>;
  readonly #backendDuration: Histogram<'backend' | 'operation'>;
  readonly #listenerErrors: Counter<'reason'>;
  readonly #auditEvents: Counter<'event' | 'sink' | 'outcome'>;

  constructor({ logger, registry, bucketLabels, version }: TelemetryOptions) {
    this.logger = logger;
    this.#bucketLabels = new Set(bucketLabels);
    registry.gauge(metricCatalogue.buildInfo).set({ version, runtime: process.version }, 1);
    this.#cryptoInfo = registry.gauge(metricCatalogue.cryptoInfo);
    this.#cryptoRate = registry.gauge(metricCatalogue.cryptoRate);
    this.#requests = registry.counter(metricCatalogue.requests);
    this.#requestDuration = registry.histogram(metricCatalogue.requestDuration);
    this.#inFlight = registry.gauge(metricCatalogue.requestsInFlight);
    this.#bytes = registry.counter(metricCatalogue.bytes);
    this.#bucketRequests = registry.counter(metricCatalogue.bucketRequests);
    this.#bucketBytes = registry.counter(metricCatalogue.bucketBytes);
    this.#decryptionFailures = registry.counter(metricCatalogue.decryptionFailures);
    this.#keyOperations = registry.counter(metricCatalogue.keyOperations);
    this.#keyDuration = registry.histogram(metricCatalogue.keyOperationDuration);
    this.#keyCacheLookups = registry.counter(metricCatalogue.keyCacheLookups);
    this.#keyReads = registry.counter(metricCatalogue.keyReads);
    this.#backendRequests = registry.counter(metricCatalogue.backendRequests);
    this.#backendDuration = registry.histogram(metricCatalogue.backendRequestDuration);
    this.#listenerErrors = registry.counter(metricCatalogue.listenerErrors);
    this.#auditEvents = registry.counter(metricCatalogue.auditEvents);
  }

  /** The gateway found out what it encrypts with: once, at its start. */
  cryptoChosen({ suite, hardware, instructions, bytesPerSecond }: CryptoInUse): void {
    const named = instructions?.join(' ') ?? 'unknown';
    const shown = { suite, hardware, instructions: named === '' ? 'none' : named };
    this.#cryptoInfo.set(shown, 1);
    for (const [measured, rate] of Object.entries(bytesPerSecond)) this.#cryptoRate.set({ suite: measured }, rate);
    this.logger.info('ciphers measured', {
      ...shown,
      aes_mb_per_second: Math.round(bytesPerSecond['aes-256-gcm'] / 1e6),
      chacha_mb_per_second: Math.round(bytesPerSecond['chacha20-poly1305'] / 1e6),
    });
  }

  /** A request came; `requestFinished` must follow. */
  requestStarted(): void {
    this.#inFlight.add({}, 1);
  }

  /** A request is over, however it ended. */
  requestFinished(event: RequestFinished): void {
    const { operation, bucket, bytesIn, bytesOut } = event;
    this.#inFlight.add({}, -1);
    this.#requests.add({ operation, status: String(event.status) });
    this.#requestDuration.observe({ operation }, event.durationMs / 1000);
    this.#bytes.add({ direction: 'in' }, bytesIn);
    this.#bytes.add({ direction: 'out' }, bytesOut);
    if (bucket !== undefined && this.#bucketLabels.has(bucket)) {
      this.#bucketRequests.add({ bucket, operation });
      this.#bucketBytes.add({ bucket, direction: 'in' }, bytesIn);
      this.#bucketBytes.add({ bucket, direction: 'out' }, bytesOut);
    }
    const ours = event.outcome === 'server_error' || event.outcome === 'broken';
    const level = ours ? 'error' : 'info';
    if (!this.logger.enabled(level)) return;
    this.logger[level]('request', {
      request_id: event.requestId,
      remote_address: event.remoteAddress,
      access_key_id: event.accessKeyId,
      operation,
      bucket,
      key: event.key,
      policy: event.policy,
      status: event.status,
      outcome: event.outcome,
      duration_ms: Math.round(event.durationMs * 1000) / 1000,
      bytes_in: bytesIn,
      bytes_out: bytesOut,
      ...(event.error === undefined ? {} : errorFields(event.error)),
      ...(event.errorCode === undefined ? {} : { error_code: event.errorCode }),
    });
  }

  /** Stored bytes did not decrypt: an attack, a fault of the store, or a missing key. */
  decryptionFailed(event: DecryptionFailed): void {
    this.#decryptionFailures.add({ reason: event.reason });
    this.logger.error('decryption failed', {
      request_id: event.requestId,
      reason: event.reason,
      bucket: event.bucket,
      key: event.key,
      key_name: event.keyName,
      key_version: event.keyVersion,
      ...(event.error === undefined ? {} : errorFields(event.error)),
    });
  }

  /** A backend answered or failed. */
  backendRequest(event: BackendRequest): void {
    const { backend, operation, outcome } = event;
    this.#backendRequests.add({ backend, operation, outcome });
    this.#backendDuration.observe({ backend, operation }, event.durationMs / 1000);
    const level = event.error === undefined ? 'debug' : 'warn';
    if (!this.logger.enabled(level)) return;
    this.logger[level]('backend request', {
      request_id: event.requestId,
      backend,
      operation,
      outcome,
      attempt: event.attempt,
      duration_ms: event.durationMs,
      ...(event.error === undefined ? {} : errorFields(event.error)),
    });
  }

  /** A key provider answered or failed. */
  keyOperation(event: KeyOperation): void {
    const { keyName, operation, outcome } = event;
    this.#keyOperations.add({ key: keyName, operation, outcome });
    this.#keyDuration.observe({ key: keyName, operation }, event.durationMs / 1000);
    const level = event.error === undefined ? 'debug' : 'warn';
    if (!this.logger.enabled(level)) return;
    this.logger[level]('key operation', {
      key_name: keyName,
      key_version: event.keyVersion,
      operation,
      outcome,
      duration_ms: event.durationMs,
      ...(event.error === undefined ? {} : errorFields(event.error)),
    });
  }

  /** A bucket key was looked up. Too frequent for the log. */
  keyCacheLookup({ keyName, cache, outcome }: KeyCacheLookup): void {
    this.#keyCacheLookups.add({ key: keyName, cache, outcome });
  }

  /** An object was opened, or refused for the age of its version. Too frequent for the log. */
  keyRead({ keyName, age }: { readonly keyName: string; readonly age: string }): void {
    this.#keyReads.add({ key: keyName, age });
  }

  /** This process rotated a key. */
  keyRotated({ keyName, keyVersion, previousVersion }: KeyRotation, trigger: 'schedule' | 'api'): void {
    const fields = { key_name: keyName, key_version: keyVersion, previous_version: previousVersion };
    this.logger.info('key rotated', { ...fields, reason: trigger });
  }

  /** A rotation that was due was not made; another replica, or a later try, may make it. */
  keyRotationFailed({ keyName, error }: { readonly keyName: string; readonly error: unknown }): void {
    this.logger.error('key rotation failed', { key_name: keyName, ...errorFields(error) });
  }

  /** This process found that a key was rotated, by whomever: it encrypts new objects under the new version. */
  keyRotationSeen({ keyName, keyVersion, previousVersion }: KeyRotation): void {
    const fields = { key_name: keyName, key_version: keyVersion, previous_version: previousVersion };
    this.logger.info('key rotation taken up', fields);
  }

  /** An audit event was given to a sink. */
  auditEvent({ event, sink, error }: AuditEventWritten): void {
    this.#auditEvents.add({ event, sink, outcome: error === undefined ? 'written' : 'failed' });
    if (error === undefined) return;
    this.logger.error('an audit event was not written', { event, sink, ...errorFields(error) });
  }

  /** The listener had to answer 500 itself or to break a connection. */
  listenerError(event: ListenerError): void {
    this.#listenerErrors.add({ reason: event.reason });
    this.logger.error('exchange failed', {
      request_id: event.requestId,
      reason: event.reason,
      ...errorFields(event.error),
    });
  }
}
