import type { Settings } from '../config/settings.ts';
import type { WorkerShare } from '../wire/worker.ts';
import type { MetricFamily } from '../telemetry/metrics.ts';

/** What a worker is to be: it reads no configuration itself, so that a crash never brings in a file that nobody checked. */
export interface WorkerOrder extends WorkerShare {
  readonly settings: Settings;
}

/** From the supervisor to a worker. */
export type ToWorker =
  | ({ readonly type: 'start' } & WorkerOrder)
  /** Comes with the socket. */
  | { readonly type: 'connection'; readonly id: number }
  /** Asks for the metrics; `isScrape` where somebody looks at them. */
  | { readonly type: 'collect'; readonly id: number; readonly isScrape: boolean }
  /** Opens the files of audit events anew. */
  | { readonly type: 'reopen' }
  /** End: take nothing new, finish what runs. */
  | { readonly type: 'drain'; readonly idleGraceMs: number };

/** From a worker to its supervisor. */
export type FromWorker =
  | { readonly type: 'serving' }
  | { readonly type: 'failed'; readonly message: string }
  /** Said before the first byte is read; `open`: connections that it has now. */
  | { readonly type: 'taken'; readonly id: number; readonly open: number }
  /** It drains: the connection is for another one. */
  | { readonly type: 'returned'; readonly id: number }
  | { readonly type: 'metrics'; readonly id: number; readonly families: readonly MetricFamily[] }
  /** The last message: all requests are done. */
  | { readonly type: 'drained'; readonly families: readonly MetricFamily[] };
