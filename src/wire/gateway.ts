import { FlowBudget } from '../base/flow-budget.ts';
import type { Settings } from '../config/settings.ts';
import { HttpServer } from '../http/server.ts';
import { checkCanaries } from '../operations/canary-check.ts';
import type { Logger } from '../telemetry/logger.ts';
import { administer, listenForAdmin } from './admin.ts';
import { observe } from './observation.ts';
import { openParts, type OpenedParts } from './parts.ts';
import { s3ServiceOf } from './s3-service.ts';

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
  const { scheduler, handler } = administer(settings, {
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

async function listenForS3(settings: Settings, parts: OpenedParts): Promise<HttpServer> {
  const server = await HttpServer.start({ ...settings.listen, ...s3ServiceOf(settings, parts) });
  parts.opened.defer(async () => server.close());
  return server;
}
