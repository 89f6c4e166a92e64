import assert from 'node:assert/strict';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { runtimeProgram } from '../../support/runtimes.ts';
import { s3egHere, start, type CommandResult } from './cli-support.ts';
import type { Gateway } from './gateway.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const program = join(root, 'src', 'cli', 'main.ts');
const compileCache = join(root, 'node_modules', '.cache', 'e2e');

/** A version of a key in the command's report. */
export interface VersionReport {
  readonly keyName: string;
  readonly keyVersion: string;
  readonly isCurrent: boolean;
  readonly objects: number;
  readonly oldVersions: number;
  readonly uploads: number;
  readonly mayBeRetired: boolean;
}

/** What `s3eg rewrap --json` prints of one backend. */
export interface RewrapReport {
  readonly ok: boolean;
  readonly guard?: string;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly failed: number;
  readonly failures: readonly { readonly key: string; readonly code: string }[];
  readonly versions: readonly VersionReport[];
}

/** The configuration file of a gateway of the tests. */
export async function configOf({ directory }: Gateway): Promise<string> {
  const name = (await readdir(directory)).find((file) => file.endsWith('.yaml'));
  assert.ok(name !== undefined);
  return join(directory, name);
}

/** Runs a command with the gateway's configuration, in this process. */
export async function commandAt(gateway: Gateway, ...args: readonly string[]): Promise<CommandResult> {
  return s3egHere([...args, '--config', await configOf(gateway)], { cwd: gateway.directory });
}

/** Adds a version to a key of the gateway and waits until the gateway uses it for new objects. */
export async function rotate(gateway: Gateway, key = 'local'): Promise<void> {
  const { code, stderr } = await commandAt(gateway, 'keys', 'rotate', '--key', key);
  assert.equal(code, 0, stderr);
}

/** Lets every version of a local key have been made a minute earlier, so that gateways have had the time to take up the newest. */
export async function ageVersions(gateway: Gateway, file = 'keyring.json'): Promise<void> {
  const path = join(gateway.directory, file);
  const { keys, ...others }: { keys: { created: string }[] } = JSON.parse(await readFile(path, 'utf8'));
  const aged = keys.map((entry) => ({ ...entry, created: new Date(Date.parse(entry.created) - 60_000).toISOString() }));
  await writeFile(`${path}.aged`, JSON.stringify({ ...others, keys: aged }), { mode: 0o600 });
  await rename(`${path}.aged`, path);
}

/** Rewraps, and gives the report of the only backend. */
export async function rewrap(
  gateway: Gateway,
  ...args: readonly string[]
): Promise<RewrapReport & { readonly code: number | null }> {
  const { code, stdout, stderr } = await commandAt(gateway, 'rewrap', '--json', ...args);
  assert.notEqual(stdout, '', stderr);
  const [report]: RewrapReport[] = JSON.parse(stdout);
  assert.ok(report !== undefined);
  return { ...report, code };
}

/** A rewrap in a process of its own. */
export async function startRewrap(gateway: Gateway, ...args: readonly string[]): Promise<ReturnType<typeof start>> {
  const config = await configOf(gateway);
  const env = { NODE_COMPILE_CACHE: compileCache };
  return start([runtimeProgram(), program, 'rewrap', ...args, '--config', config], { cwd: gateway.directory, env });
}

/** `objects` of each version of a key, by version. */
export function objectsBy({ versions }: RewrapReport, keyName = 'local'): Readonly<Record<string, number>> {
  const own = versions.filter((version) => version.keyName === keyName);
  return Object.fromEntries(own.map(({ keyVersion, objects }) => [keyVersion, objects]));
}
