import type { Clock } from '../../base/clock.ts';
import type { FlowBudget } from '../../base/flow-budget.ts';

/** Where the backend is and how patient the store is with it. */
export interface S3StoreOptions {
  /** `http(s)://host[:port]`, without a path. */
  readonly endpoint: string;
  /** Region that requests are signed for. */
  readonly region: string;
  /** `host/bucket/key` when true, else `bucket.host/key`. */
  readonly pathStyle: boolean;
  readonly credentials: S3Credentials;
  /** PEM text of a private CA; the server's certificate is verified in any case. */
  readonly ca?: string;
  /** Connections per host: in all for path style, for each bucket's host name otherwise. */
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  /** Longest wait for the response's headers after the request was sent. */
  readonly headersTimeoutMs: number;
  /** Longest silence within a response body that somebody wants to read. */
  readonly bodyTimeoutMs: number;
  /** Further attempts after the first one. */
  readonly retries: number;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** One attempt at a request, for metrics. */
export interface S3RequestEvent {
  /** S3's name of the operation, e.g. `PutObject`. */
  readonly operation: string;
  /** HTTP status; undefined when no answer came. */
  readonly status?: number | undefined;
  /** Until the answer's headers, for short answers until their end. */
  readonly durationMs: number;
}

/** An attempt failed and another one follows after `delayMs`. */
export interface S3RetryEvent {
  readonly operation: string;
  /** Number of the failed attempt, from 1. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly error: Error;
}

/** The backend refused the gateway's own credentials, region or clock; an operator has to act. */
export interface S3RefusalEvent {
  readonly operation: string;
  /** The backend's code, e.g. `InvalidAccessKeyId`. */
  readonly code: string;
}

/** What the store tells of its work, and what tests replace. */
export interface S3StoreHooks {
  readonly onRequest?: (event: S3RequestEvent) => void;
  readonly onRetry?: (event: S3RetryEvent) => void;
  readonly onCredentialsRefused?: (event: S3RefusalEvent) => void;
  readonly clock?: Clock;
  /** What bodies may hold in memory; shared with the other side of their way. One of its own by default. */
  readonly budget?: FlowBudget;
  /** Jitter: numbers from 0 up to 1. */
  readonly random?: () => number;
  /** Waits between attempts; rejects with the signal's reason when it is aborted. */
  readonly sleep?: (delayMs: number, signal?: AbortSignal) => Promise<void>;
}
