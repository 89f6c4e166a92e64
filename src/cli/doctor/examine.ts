import { messageOf } from '../../base/message-of.ts';
import type { BackendSettings, KeySettings, Settings } from '../../config/settings.ts';
import { judge } from '../../maintenance/backend-probe/verdict.ts';
import { probeBackend, type Finding } from '../../maintenance/backend-probe/probe-backend.ts';
import { probeKey } from '../../maintenance/key-probe.ts';
import { noQuirks } from '../../store/quirks.ts';
import { openBareStore } from '../../wire/backends.ts';
import { openKey } from '../../wire/keys.ts';

/** What the doctor found out about a backend. */
export interface BackendExamination {
  readonly name: string;
  readonly type: BackendSettings['type'];
  /** Endpoint, or directory. */
  readonly at: string;
  /** Empty where the backend could not be used at all. */
  readonly findings: readonly Finding[];
  readonly problems: readonly string[];
  readonly advice: readonly string[];
}

/** What the doctor found out about a key. */
export interface KeyExamination {
  readonly name: string;
  readonly type: string;
  readonly versions?: number;
  readonly roundTripMs?: number;
  readonly problems: readonly string[];
  readonly advice: readonly string[];
}

/** How a backend is examined. */
export interface ExamineOptions {
  readonly settings: Settings;
  /** A bucket to work in, instead of temporary ones. */
  readonly bucket?: string;
  readonly signal: AbortSignal;
  readonly onFinding: (finding: Finding) => void;
}

const keyTimeoutMs = 30_000;

/** Probes one backend, as if it had no quirks. */
export async function examineBackend(
  name: string,
  backend: BackendSettings,
  { settings, bucket, signal, onFinding }: ExamineOptions,
): Promise<BackendExamination> {
  const at = backend.type === 's3' ? backend.endpoint : backend.root;
  const about = { name, type: backend.type, at };
  const quirks = backend.type === 's3' ? backend.quirks : noQuirks;
  try {
    const store = await openBareStore(backend);
    try {
      const { findings, leftovers } = await probeBackend({
        store,
        reservedPrefix: settings.multipart.prefix,
        signal,
        onFinding,
        ...(bucket === undefined ? {} : { bucket }),
        ...locationOf(backend),
      });
      const { problems, advice } = judge(findings, quirks, `backends.${name}`);
      return {
        ...about,
        findings,
        problems: [...problems, ...leftovers.map((left) => `left behind: ${left}`)],
        advice,
      };
    } finally {
      await store.close();
    }
  } catch (error) {
    if (signal.aborted) throw error;
    return { ...about, findings: [], problems: [messageOf(error)], advice: [] };
  }
}

/** S3 wants no location for its first region, and every other server that has only one region is called that. */
function locationOf(backend: BackendSettings): { readonly locationConstraint?: string } {
  if (backend.type !== 's3' || backend.region === 'us-east-1') return {};
  return { locationConstraint: backend.region };
}

/** Wraps and unwraps with one key. */
export async function examineKey(name: string, key: KeySettings, signal: AbortSignal): Promise<KeyExamination> {
  const about = { name, type: key.type };
  try {
    const provider = await openKey(name, key, { create: false });
    try {
      const report = await probeKey(provider, AbortSignal.any([signal, AbortSignal.timeout(keyTimeoutMs)]));
      return { ...about, ...report, advice: [] };
    } finally {
      await provider.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (isMissingFile(error))
      return { ...about, problems: [], advice: ['no keyring yet: it is made at the first start'] };
    return { ...about, problems: [messageOf(error)], advice: [] };
  }
}

function isMissingFile(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === 'ENOENT') || isMissingFile(error.cause);
}
