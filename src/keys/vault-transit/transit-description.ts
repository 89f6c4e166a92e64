import type { KeyDescription } from '../key-provider.ts';
import type { VaultFields } from './vault-answer.ts';

/** Key types whose ciphertexts are bound to associated data. */
const boundTypes = new Set(['aes128-gcm96', 'aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305']);
const maxVersions = 10_000;

/** What Vault says of a Transit key. */
export interface TransitDescription extends KeyDescription {
  /** Whether each context has a key of its own, and must be given. */
  readonly derived: boolean;
  /** Type, as Vault calls it. */
  readonly type: string;
  /** Whether the type seals with associated data. */
  readonly bindsContext: boolean;
  /** When each version was made, in milliseconds since the epoch; without those of which Vault does not tell it. */
  readonly madeMs: ReadonlyMap<string, number>;
}

/** Undefined where the answer is none about a key. */
export function describeTransitKey(data: VaultFields): TransitDescription | undefined {
  const latest = data.count('latest_version');
  const type = data.text('type');
  if (latest === undefined || latest < 1 || latest > maxVersions || type === undefined) return undefined;
  const oldestReadable = Math.max(1, data.count('min_decryption_version') ?? 1);
  const oldestThere = Math.max(1, data.count('min_available_version') ?? 1);
  const retired = versionsDown(oldestReadable - 1, oldestThere);
  return {
    versions: versionsDown(latest, oldestReadable),
    ...(retired.length === 0 ? {} : { retired }),
    derived: data.flag('derived'),
    type,
    bindsContext: boundTypes.has(type),
    madeMs: madeMsOf(data.section('keys'), { latest, oldest: oldestReadable }),
  };
}

/** Vault says it in seconds, by the number of the version. */
function madeMsOf(
  keys: VaultFields,
  { latest, oldest }: { readonly latest: number; readonly oldest: number },
): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const version of versionsDown(latest, oldest)) {
    const seconds = keys.count(version);
    if (seconds !== undefined) times.set(version, seconds * 1000);
  }
  return times;
}

/** `newest`, then down to `oldest`. */
function versionsDown(newest: number, oldest: number): readonly string[] {
  return Array.from({ length: Math.max(0, newest - oldest + 1) }, (_, index) => String(newest - index));
}
