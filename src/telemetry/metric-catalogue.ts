import type { MetricDescriptor } from './metrics.ts';

const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];
const callSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Every metric of the gateway. The reference page of the documentation is made from this table. */
export const metricCatalogue = {
  buildInfo: {
    name: 's3eg_build_info',
    type: 'info',
    help: 'Version of the gateway and of its runtime; always 1.',
    across: 'max',
    labels: ['version', 'runtime'],
  },
  cryptoInfo: {
    name: 's3eg_crypto_info',
    type: 'info',
    help:
      'What encrypts; always 1. The suite of new objects whose policy names none, the setting crypto.hardware, and the ' +
      'instructions of the CPU that are in use (none, or unknown where the system does not say).',
    across: 'max',
    labels: ['suite', 'hardware', 'instructions'],
  },
  cryptoRate: {
    name: 's3eg_crypto_measured_bytes_per_second',
    type: 'gauge',
    help: 'Plaintext that one core encrypts with a suite, in segments of 64 KiB, measured for 50 ms at start.',
    across: 'max',
    labels: ['suite'],
  },
  requests: {
    name: 's3eg_requests_total',
    type: 'counter',
    help: 'S3 requests that were answered or broken off, by operation and HTTP status; 499: the client was gone first.',
    labels: ['operation', 'status'],
  },
  requestDuration: {
    name: 's3eg_request_duration_seconds',
    type: 'histogram',
    help: 'Time from the head of an S3 request to the end of its answer.',
    labels: ['operation'],
    buckets: requestSeconds,
  },
  requestsInFlight: {
    name: 's3eg_requests_in_flight',
    type: 'gauge',
    help: 'S3 requests that are being answered.',
    labels: [],
  },
  bytes: {
    name: 's3eg_bytes_total',
    type: 'counter',
    help: 'Plaintext body bytes exchanged with clients; direction is in (from the client) or out.',
    labels: ['direction'],
  },
  bucketRequests: {
    name: 's3eg_bucket_requests_total',
    type: 'counter',
    help: 'S3 requests to the buckets listed under telemetry.metrics.bucketLabels.',
    labels: ['bucket', 'operation'],
  },
  bucketBytes: {
    name: 's3eg_bucket_bytes_total',
    type: 'counter',
    help: 'Plaintext body bytes of the buckets listed under telemetry.metrics.bucketLabels.',
    labels: ['bucket', 'direction'],
  },
  decryptionFailures: {
    name: 's3eg_decryption_failures_total',
    type: 'counter',
    help: 'Objects or parts that did not decrypt: altered, swapped, cut short, or not readable with the keys at hand.',
    labels: ['reason'],
  },
  keyOperations: {
    name: 's3eg_key_operations_total',
    type: 'counter',
    help: 'Calls to a key provider, by key, operation and outcome.',
    labels: ['key', 'operation', 'outcome'],
  },
  keyOperationDuration: {
    name: 's3eg_key_operation_duration_seconds',
    type: 'histogram',
    help: 'Duration of calls to a key provider.',
    labels: ['key', 'operation'],
    buckets: callSeconds,
  },
  keyCacheLookups: {
    name: 's3eg_key_cache_lookups_total',
    type: 'counter',
    help:
      'Lookups of a bucket key in memory, by key, cache (wrap for writes, unwrap for reads) and outcome: hit, offline (past ' +
      'its ttl, while the key provider is not available) or miss (the key provider was asked).',
    labels: ['key', 'cache', 'outcome'],
  },
  keyReads: {
    name: 's3eg_key_reads_total',
    type: 'counter',
    help:
      'Objects and parts that were opened, by key and age of the version they are under: current, previous (within ' +
      'rotation.readPrevious), outside (refused) or unknown (not in the newest list of versions).',
    labels: ['key', 'age'],
  },
  bucketKeyAge: {
    name: 's3eg_bucket_key_age_seconds',
    type: 'gauge',
    help: 'Age of the oldest bucket key that new objects are encrypted under, by key; 0 where there is none in memory.',
    across: 'max',
    labels: ['key'],
  },
  backendRequests: {
    name: 's3eg_backend_requests_total',
    type: 'counter',
    help: 'Requests to a backend, by backend, operation and outcome (HTTP status or error code); retries count each.',
    labels: ['backend', 'operation', 'outcome'],
  },
  backendRequestDuration: {
    name: 's3eg_backend_request_duration_seconds',
    type: 'histogram',
    help: 'Time to the first byte of a backend answer.',
    labels: ['backend', 'operation'],
    buckets: callSeconds,
  },
  listenerErrors: {
    name: 's3eg_listener_errors_total',
    type: 'counter',
    help: 'Exchanges that failed on our side after or without an answer of the handler.',
    labels: ['reason'],
  },
  auditEvents: {
    name: 's3eg_audit_events_total',
    type: 'counter',
    help: 'Audit events, by event, kind of sink and outcome: written, or failed (the log says why); docs/audit.md.',
    labels: ['event', 'sink', 'outcome'],
  },
  heldBytes: {
    name: 's3eg_held_bytes',
    type: 'gauge',
    help: 'Bytes of bodies that are held in memory on their way between clients and backends.',
    labels: [],
  },
  cryptoThreads: {
    name: 's3eg_crypto_threads',
    type: 'gauge',
    help: 'Threads that encrypt and decrypt parts of large bodies; they are started when they are first wanted.',
    labels: [],
  },
  cryptoBusySlots: {
    name: 's3eg_crypto_busy_slots',
    type: 'gauge',
    help: 'Pieces of work that crypto threads have at the moment, two of them each at most.',
    labels: [],
  },
  cryptoSegments: {
    name: 's3eg_crypto_segments_total',
    type: 'counter',
    help: 'Segments encrypted or decrypted, by path: inline (on the event loop) or pool (on a crypto thread).',
    labels: ['path'],
  },
  cryptoThreadFailures: {
    name: 's3eg_crypto_thread_failures_total',
    type: 'counter',
    help: 'Crypto threads that ended unasked; each fails the requests that it worked for, and is started again.',
    labels: [],
  },
  workers: {
    name: 's3eg_workers',
    type: 'gauge',
    help: 'Worker processes by state: starting, serving, draining, or waiting to be started again. Only with two or more.',
    labels: ['state'],
  },
  workerEnds: {
    name: 's3eg_worker_crashes_total',
    type: 'counter',
    help: 'Worker processes that ended without being told to, by cause: exit, signal, or start (before they served).',
    labels: ['cause'],
  },
  reloads: {
    name: 's3eg_reloads_total',
    type: 'counter',
    help: 'Reloads of the configuration (SIGHUP) by outcome: done or refused.',
    labels: ['outcome'],
  },
  processCpu: {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'User and system CPU time of the process, or of all of them.',
    labels: [],
  },
  processMemory: {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory of the process, or of all of them: pages that they share count for each.',
    labels: [],
  },
  processFiles: {
    name: 'process_open_fds',
    type: 'gauge',
    help: 'Open file descriptors of the process, or of all of them (Linux only).',
    labels: [],
  },
  processStart: {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'Start of the process in seconds since the Unix epoch.',
    across: 'min',
    labels: [],
  },
  eventLoopLag: {
    name: 's3eg_event_loop_lag_seconds',
    type: 'gauge',
    help: 'Delay of the event loop since the previous scrape, by quantile (0.5, 0.99, 1).',
    across: 'max',
    labels: ['quantile'],
  },
} as const satisfies Record<string, MetricDescriptor>;
