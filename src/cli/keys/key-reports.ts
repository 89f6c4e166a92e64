import { messageOf } from '../../base/message-of.ts';
import type { Settings } from '../../config/settings.ts';
import type { KeyDescription, KeyProvider } from '../../keys/key-provider.ts';
import { printable } from '../cli-io.ts';

/**
 * What may become of objects under a version: `current` and `readable` are read, `outside_window` are refused because of
 * `rotation.readPrevious`, `retired` because the key service has taken the version out of use.
 */
export type VersionState = 'current' | 'readable' | 'outside_window' | 'retired';

/** What the commands tell of one key; documented in docs/rotation.md. */
export interface KeyReport {
  readonly name: string;
  /** Kind of key service. */
  readonly type: string;
  readonly ok: boolean;
  /** Why it is not ok. */
  readonly reason?: string;
  /** Current version; missing where the key service does not tell. */
  readonly current?: string;
  /** Newest first. */
  readonly versions: readonly { readonly version: string; readonly state: VersionState }[];
  readonly readPrevious: number;
  /** Whether `s3eg keys rotate` can rotate it. */
  readonly rotates: boolean;
  /** Names of the policies that encrypt under it. */
  readonly policies: readonly string[];
}

/** Opens the provider of a key of the configuration; making nothing. */
export type OpenProvider = (name: string) => Promise<KeyProvider>;

/** What every key of the configuration, or the one of this name, says of itself. Failures are in the reports. */
export async function reportKeys(
  settings: Settings,
  open: OpenProvider,
  only: string | undefined,
): Promise<readonly KeyReport[]> {
  const reports = [];
  for (const name of settings.keys.keys()) {
    if (only === undefined || only === name) reports.push(await reportKey(settings, open, name));
  }
  return reports;
}

async function reportKey({ keys, policies }: Settings, open: OpenProvider, name: string): Promise<KeyReport> {
  const { type = '', readPrevious = 0 } = keys.get(name) ?? {};
  const known = {
    name,
    type,
    readPrevious,
    policies: policies
      .filter(({ encryption }) => encryption.mode === 'required' && encryption.key === name)
      .map((policy) => policy.name),
  };
  let provider: KeyProvider | undefined;
  try {
    provider = await open(name);
    const description = await provider.describe();
    const [current] = description.versions;
    const { ok, reason } = await provider.health();
    return {
      ...known,
      ok,
      ...(reason === undefined ? {} : { reason }),
      ...(current === undefined ? {} : { current }),
      versions: versionStates(description, readPrevious),
      rotates: provider.rotate !== undefined,
    };
  } catch (error) {
    const reason = messageOf(error);
    return { ...known, ok: false, reason, versions: [], rotates: false };
  } finally {
    await provider?.close();
  }
}

function versionStates({ versions, retired = [] }: KeyDescription, readPrevious: number): KeyReport['versions'] {
  const stateOf = (age: number): VersionState =>
    age === 0 ? 'current' : age <= readPrevious ? 'readable' : 'outside_window';
  return [
    ...versions.map((version, age) => ({ version, state: stateOf(age) })),
    ...retired.map((version) => ({ version, state: 'retired' as const })),
  ];
}

/** One key and version a line: `name  type  version  state`. */
export function listText(reports: readonly KeyReport[]): string {
  const rows = reports.flatMap(({ name, type, ok, reason, versions }) =>
    versions.length === 0
      ? [[name, type, '-', ok ? 'no version' : `failed: ${reason ?? ''}`]]
      : versions.map(({ version, state }) => [name, type, version, state.replace('_', ' ')]),
  );
  return tableText([['KEY', 'TYPE', 'VERSION', 'STATE'], ...rows]);
}

/** One key a line, with its health. */
export function statusText(reports: readonly KeyReport[]): string {
  const rows = reports.map(({ name, type, ok, reason, current = '-', versions, readPrevious, policies }) => [
    name,
    type,
    current,
    String(versions.filter(({ state }) => state !== 'retired').length),
    String(readPrevious),
    policies.join(',') || '-',
    ok ? 'ok' : `failed: ${reason ?? ''}`,
  ]);
  return tableText([['KEY', 'TYPE', 'CURRENT', 'VERSIONS', 'READ PREVIOUS', 'POLICIES', 'HEALTH'], ...rows]);
}

function tableText(rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(printable));
  const widths = (shown[0] ?? []).map((_, column) => Math.max(...shown.map((row) => (row[column] ?? '').length)));
  const lines = shown.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}
