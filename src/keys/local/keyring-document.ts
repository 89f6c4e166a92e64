import { SecretBytes } from '../../crypto/secret-bytes.ts';
import { KeyError } from '../key-provider.ts';
import { jsonErrorPosition } from './json-syntax.ts';

/** Length of a key-encryption key. */
export const kekBytes = 32;
const maxVersions = 1_000;

/** One version of the key. */
export interface KeyringEntry {
  /** Decimal number from 1, larger than that of every entry before it. */
  readonly version: string;
  /** 32 bytes; whoever read the keyring disposes it. */
  readonly key: SecretBytes;
  /** ISO 8601 time. */
  readonly created: string;
  /** ISO 8601 time since which it unwraps nothing; missing where it does. Never the last entry. */
  readonly retired?: string;
}

/**
 * Reads a keyring: `{"version":1,"keys":[{"version":"1","key":"<base64>","created":"<ISO 8601>"}, …]}`; the last entry is
 * the current version, one with `"retired":"<ISO 8601>"` is out of use.
 * @throws KeyError `misconfigured` naming `file` and the field or the place, never anything of a key.
 */
export function parseKeyring(text: string, file: string): readonly KeyringEntry[] {
  const entries: KeyringEntry[] = [];
  try {
    const document = recordOf(parseJson(text, file), { file, path: 'the document' }, ['version', 'keys']);
    if (document['version'] !== 1) throw refused({ file, path: 'version' }, 'must be 1');
    const keys: unknown = document['keys'];
    if (!Array.isArray(keys) || keys.length === 0 || keys.length > maxVersions) {
      throw refused({ file, path: 'keys' }, `must be a list of 1 to ${maxVersions} keys`);
    }
    for (const [index, value] of keys.entries()) entries.push(parseEntry(value, { file, index, before: entries }));
    if (entries.at(-1)?.retired !== undefined) {
      throw refused({ file, path: `keys[${entries.length - 1}].retired` }, 'must not stand at the current version');
    }
    return entries;
  } catch (error) {
    for (const { key } of entries) key.dispose();
    throw error;
  }
}

/** The text of a keyring file, which `parseKeyring` reads back. */
export function serialiseKeyring(entries: readonly KeyringEntry[]): string {
  const keys = entries.map(({ version, key, created, retired }) => ({
    version,
    key: base64Of(key.bytes),
    created,
    ...(retired === undefined ? {} : { retired }),
  }));
  return `${JSON.stringify({ version: 1, keys }, undefined, 2)}\n`;
}

interface Place {
  readonly file: string;
  readonly path: string;
}

function parseEntry(
  value: unknown,
  { file, index, before }: { file: string; index: number; before: readonly KeyringEntry[] },
): KeyringEntry {
  const path = `keys[${index}]`;
  const entry = recordOf(value, { file, path }, ['version', 'key', 'created', 'retired']);
  const version: unknown = entry['version'];
  if (typeof version !== 'string' || !/^[1-9]\d{0,8}$/.test(version)) {
    throw refused({ file, path: `${path}.version` }, 'must be a decimal number in quotes, from "1" on');
  }
  if (Number(version) <= Number(before.at(-1)?.version ?? 0)) {
    throw refused({ file, path: `${path}.version` }, 'must be larger than that of the key before it');
  }
  const created = timeOf(entry['created'], { file, path: `${path}.created` });
  const retired =
    entry['retired'] === undefined ? undefined : timeOf(entry['retired'], { file, path: `${path}.retired` });
  const key = parseKey(entry['key'], { file, path: `${path}.key` });
  const same = before.findIndex((other) => other.key.equals(key));
  if (same !== -1) {
    key.dispose();
    throw refused({ file, path: `${path}.key` }, `must differ from keys[${same}].key`);
  }
  return { version, key, created, ...(retired === undefined ? {} : { retired }) };
}

function timeOf(value: unknown, place: Place): string {
  if (typeof value === 'string' && /^\d{4}-\d{2}-\d{2}T/.test(value) && !Number.isNaN(Date.parse(value))) return value;
  throw refused(place, 'must be an ISO 8601 time');
}

function parseKey(value: unknown, place: Place): SecretBytes {
  const problem = `must be ${kekBytes} bytes in base64 (openssl rand -base64 ${kekBytes})`;
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]{43}=$/.test(value)) throw refused(place, problem);
  const decoded = Buffer.from(value, 'base64');
  const key = SecretBytes.copyOf(decoded);
  decoded.fill(0);
  // The last digit carries two bits that no byte takes: other spellings of the same key are refused with the typing errors.
  if (key.bytes.length !== kekBytes || base64Of(key.bytes) !== value) {
    key.dispose();
    throw refused(place, problem);
  }
  if (key.bytes.every((byte) => byte === 0)) throw refused(place, 'must be random, but it is all zero');
  return key;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The engine's message quotes the text, so it is neither shown nor kept as the cause.
    const at = jsonErrorPosition(text);
    const where = at === undefined ? '' : ` at line ${at.line}, column ${at.column}`;
    throw new KeyError('misconfigured', `keyring ${file} is not valid JSON${where}`);
  }
}

/** `value` as an object that has `fields` and no others. */
function recordOf(value: unknown, { file, path }: Place, fields: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refused({ file, path }, 'must be an object');
  }
  for (const name of Object.keys(value)) {
    if (fields.includes(name)) continue;
    // A name that could be a key put in the wrong place is not shown.
    const shown = /^[A-Za-z_]\w{0,23}$/.test(name) ? ` "${name}"` : '';
    throw refused({ file, path }, `has an unknown field${shown}; it may have ${fields.join(', ')}`);
  }
  return Object.fromEntries(Object.entries(value));
}

function refused({ file, path }: Place, problem: string): KeyError {
  return new KeyError('misconfigured', `keyring ${file}: ${path} ${problem}`);
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
