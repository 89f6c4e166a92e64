import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { Option } from 'commander';

import { loadSettings } from '../../config/load.ts';
import type { Settings } from '../../config/settings.ts';
import { RecoveryPrivateKey } from '../../keys/recovery-key.ts';
import type { CliIo } from '../cli-io.ts';
import { loadOptions, type ConfigOption } from '../config-option.ts';
import { KeysBeside, readEnvelopes } from './envelopes-option.ts';
import { OfflineKeys, type ObjectKeys } from './offline-keys.ts';

/** What `--keyring` gives, beside `--config`. */
export interface KeyringOptions extends ConfigOption {
  readonly keyring?: readonly string[];
  readonly recoveryKey?: string;
  readonly envelope?: string;
}

/** Keys, and what the configuration says of the objects. */
export interface OpenedKeys extends AsyncDisposable {
  readonly keys: ObjectKeys;
  /** Keys of objects below it are the gateway's own data. */
  readonly reservedPrefix: string;
  /** Where the use of a recovery key is told. */
  readonly audit: Settings['audit'];
}

const defaultReservedPrefix = '.s3eg/';

/** `--keyring [NAME=]FILE`, which may be repeated. */
export function keyringOption(): Option {
  return new Option(
    '--keyring <[name=]file>',
    'Keyring file, instead of those of the configuration. May be repeated, each for the key NAME of the configuration; ' +
      'one without a name serves every other key.',
  )
    .argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value])
    .conflicts('config');
}

/** `--recovery-key FILE` */
export function recoveryKeyOption(): Option {
  return new Option(
    '--recovery-key <file>',
    'Private recovery key (PEM), instead of any keyring or key service: opens what was written with its public half configured. ' +
      'Its use is told to the audit sinks of the configuration that --config names; nothing else of it is needed then.',
  ).conflicts('keyring');
}

/**
 * Opens the keyrings that are named, else those of the configuration, with the envelopes that are given beside. Nothing is made.
 * @throws ConfigError, KeyError, UsageError; the system's error.
 */
export async function openOfflineKeys(io: CliIo, options: KeyringOptions): Promise<OpenedKeys> {
  const { envelope } = options;
  const envelopes = envelope === undefined ? undefined : await readEnvelopes(envelope, io.cwd);
  const opened = await openKeyrings(io, options);
  return envelopes === undefined ? opened : { ...opened, keys: new KeysBeside(opened.keys, envelopes) };
}

async function openKeyrings(io: CliIo, options: KeyringOptions): Promise<OpenedKeys> {
  if (options.recoveryKey !== undefined) {
    const pem = await readFile(resolve(io.cwd, options.recoveryKey), 'utf8');
    // What the environment names stays out of it: a recovery works where nothing else does.
    const settings = options.config === undefined ? undefined : (await loadSettings(loadOptions(io, options))).settings;
    return openedKeys(OfflineKeys.ofRecoveryKey(RecoveryPrivateKey.ofPem(pem)), settings);
  }
  if (options.keyring !== undefined) {
    return openedKeys(await OfflineKeys.ofKeyrings(options.keyring, io.cwd));
  }
  const { settings } = await loadSettings(loadOptions(io, options));
  return openedKeys(await OfflineKeys.ofSettings(settings), settings);
}

function openedKeys(keys: OfflineKeys, settings?: Settings): OpenedKeys {
  const reservedPrefix = settings?.multipart.prefix ?? defaultReservedPrefix;
  return {
    keys,
    reservedPrefix,
    audit: settings?.audit ?? {},
    [Symbol.asyncDispose]: () => keys[Symbol.asyncDispose](),
  };
}
