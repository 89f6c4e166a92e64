import { X509Certificate } from 'node:crypto';
import { access, constants, lstat, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createSecureContext } from 'node:tls';

import { messageOf } from '../../base/message-of.ts';
import type { ConfigProblem } from '../../config/problem.ts';
import type { Settings, TlsSettings } from '../../config/settings.ts';
import { openKey } from '../../wire/keys.ts';

/** What a start would find beyond the text of the configuration. */
export interface StartChecks {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
  /** Versions in the keyring of each key that has one. */
  readonly keyVersions: ReadonlyMap<string, number>;
}

interface Findings extends StartChecks {
  readonly problems: ConfigProblem[];
  readonly warnings: string[];
  readonly keyVersions: Map<string, number>;
}

const dayMs = 86_400_000;
const certificateWarningMs = 14 * dayMs;

/** Looks at files that a start needs: keyrings, certificates, directories. Changes nothing. */
export async function checkStart(settings: Settings, nowMs: number = Date.now()): Promise<StartChecks> {
  const findings: Findings = { problems: [], warnings: [], keyVersions: new Map() };
  await checkKeys(settings, findings);
  await checkDirectories(settings, findings);
  if (settings.listen.tls !== undefined) checkTls(settings.listen.tls, findings, nowMs);
  return findings;
}

async function checkKeys({ keys }: Settings, { problems, warnings, keyVersions }: Findings): Promise<void> {
  for (const [name, key] of keys) {
    if (key.type !== 'local') continue;
    if (!(await isThere(key.file))) {
      warnings.push(`keys.${name}.file: no keyring yet: ${key.file} is made at the first start`);
      continue;
    }
    try {
      const provider = await openKey(name, key, { create: false });
      keyVersions.set(name, (await provider.describe()).versions.length);
      await provider.close();
    } catch (error) {
      problems.push(problem(`keys.${name}.file`, error));
    }
  }
}

async function checkDirectories({ backends }: Settings, { problems }: Findings): Promise<void> {
  for (const [name, backend] of backends) {
    if (backend.type !== 'filesystem') continue;
    try {
      const nearest = await nearestThere(backend.root);
      if (!(await stat(nearest)).isDirectory()) throw new Error(`${nearest} is not a directory`);
      await access(nearest, constants.W_OK | constants.X_OK);
    } catch (error) {
      problems.push(problem(`backends.${name}.root`, error));
    }
  }
}

/** The path, or the first of its parents that exists. */
async function nearestThere(path: string): Promise<string> {
  if (await isThere(path)) return path;
  const parent = dirname(path);
  return parent === path ? path : nearestThere(parent);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}

function checkTls({ cert, key, clientCa }: TlsSettings, { problems, warnings }: Findings, nowMs: number): void {
  try {
    createSecureContext({ cert, key, ...(clientCa === undefined ? {} : { ca: clientCa }) });
    const { validTo } = new X509Certificate(cert);
    const leftMs = Date.parse(validTo) - nowMs;
    if (leftMs < 0) problems.push(problem('listen.tls.cert', new Error(`the certificate was valid until ${validTo}`)));
    else if (leftMs < certificateWarningMs) warnings.push(`listen.tls.cert: the certificate is valid until ${validTo}`);
  } catch (error) {
    // OpenSSL's messages do not quote the key.
    problems.push(problem('listen.tls', error));
  }
}

function problem(path: string, error: unknown): ConfigProblem {
  const message = messageOf(error);
  return { source: 'configuration', path, message };
}
