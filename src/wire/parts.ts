import type { FlowBudget } from '../base/flow-budget.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { KeyAudit } from '../audit/key-audit.ts';
import { openAudit } from '../audit/open-audit.ts';
import type { Settings } from '../config/settings.ts';
import { isSuiteAvailable } from '../crypto/aead.ts';
import { cryptoInUse, type CryptoInUse } from '../crypto/crypto-in-use.ts';
import type { KeyProvider } from '../keys/key-provider.ts';
import type { CanaryGuard, GuardedKey } from '../operations/canary-guard.ts';
import type { Backend } from '../operations/gateway.ts';
import { resolveSuites } from '../policy/policy.ts';
import { PolicySet } from '../policy/policy-set.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { openBackends } from './backends.ts';
import { guardCanaries } from './canaries.ts';
import { openKeys } from './keys.ts';
import type { Observation } from './observation.ts';

/** Everything that is behind the listeners. */
export interface Parts extends Observation {
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

/** Parts, and where what is opened over them goes, to be closed before them. */
export interface OpenedParts extends Parts {
  readonly opened: AsyncDisposableStack;
}

interface PartsOptions extends Observation {
  /** Whether a keyring that is missing is made. */
  readonly create: boolean;
  /** Where it is known already; else it is found out, and told. */
  readonly crypto?: CryptoInUse;
  readonly opened: AsyncDisposableStack;
  readonly budget: FlowBudget;
}

/**
 * Opens audit sinks, keys and backends, in this order.
 * @throws KeyError, S3Error, the system's error.
 */
export async function openParts(settings: Settings, options: PartsOptions): Promise<Parts> {
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
