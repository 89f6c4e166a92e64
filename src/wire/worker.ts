import type { Socket } from 'node:net';

import { FlowBudget } from '../base/flow-budget.ts';
import type { BackendSettings, Settings } from '../config/settings.ts';
import type { CryptoInUse } from '../crypto/crypto-in-use.ts';
import { HttpServer } from '../http/server.ts';
import { observe, type Observation } from './observation.ts';
import { openParts } from './parts.ts';
import { s3ServiceOf } from './s3-service.ts';

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
  const s3Server = HttpServer.adopting(s3ServiceOf(settings, { ...parts, opened }));
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
