import { FlowBudget } from '../base/flow-budget.ts';
import type { AdminHandler } from '../admin/admin-handler.ts';
import type { Settings } from '../config/settings.ts';
import type { CryptoInUse } from '../crypto/crypto-in-use.ts';
import { checkCanaries } from '../operations/canary-check.ts';
import { administer, type AdminParts } from './admin.ts';
import type { Observation } from './observation.ts';
import { openParts } from './parts.ts';

/** What belongs to a gateway, and not to each of its workers: health, the API, rotations that are due. */
export interface ControlPlane extends AsyncDisposable {
  readonly handler: AdminHandler;
  /** What new objects are encrypted with. */
  readonly crypto: CryptoInUse;
  /** Opens the files of audit events anew. */
  reopenAudit(): void;
}

/** What a control plane works with. */
export type ControlOptions = Observation & Required<Pick<AdminParts, 'metrics' | 'serving' | 'checks'>>;

/**
 * Opens backends and keys without serving them, makes a keyring that is missing, and checks the canaries.
 * @throws as `startGateway`.
 */
export async function openControlPlane(settings: Settings, options: ControlOptions): Promise<ControlPlane> {
  await using opened = new AsyncDisposableStack();
  const parts = await openParts(settings, { ...options, create: true, opened, budget: new FlowBudget() });
  await checkCanaries({ ...parts, configured: settings.policies, onlyBucket: settings.multipart.bucket });
  const { handler } = administer(settings, { ...parts, ...options, opened });
  const kept = opened.move();
  return {
    handler,
    crypto: parts.crypto,
    reopenAudit: () => parts.trail.reopen(),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
