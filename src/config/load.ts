import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { PolicyError, PolicySet } from '../policy/policy-set.ts';
import type { ConfiguredPolicy } from '../policy/policy.ts';
import { convertAudit, convertBackend, type ConvertContext, convertPolicy, convertTls, isLoopback } from './convert.ts';
import { convertKey } from './convert-keys.ts';
import { convertRecovery, rotationSchedules } from './convert-rotation.ts';
import { makeCredentialsFile, type MadeCredentials } from './first-start.ts';
import { readTextFile, reasonOf } from './placeholders.ts';
import { ConfigError, type ConfigProblem } from './problem.ts';
import {
  type ConfigFile,
  configSchema,
  credentialsFileSchema,
  environmentOverrides,
  type PolicyFile,
  policySchema,
} from './schema.ts';
import type { BackendSettings, Credential, KeySettings, Settings } from './settings.ts';
import { valueAt } from './schema-walk.ts';
import { suggest } from './suggest.ts';
import { validate } from './validate.ts';
import { YamlSource } from './yaml-source.ts';

const maxFileBytes = 8 * 1024 * 1024;
const maxPolicyFiles = 10_000;
/** What `workers: auto` is: docs/adr/0021-workers.md says why it is not one for each core. */
const automaticWorkers = 1;
/** What there is where the file names none. */
const defaultNames = { backends: 'embedded', keys: 'local' } as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the configuration comes from. */
export interface LoadOptions {
  /** Configuration file; without it `S3EG_CONFIG` is asked, and without that everything has its default. */
  readonly file?: string;
  readonly env: Environment;
  /** Directory that relative paths start from where there is no file. */
  readonly cwd: string;
  /** Make the default credentials file where it is needed and missing. */
  readonly firstStart?: boolean;
}

/** The configuration, checked. */
export interface LoadedSettings {
  readonly settings: Settings;
  /** What works but was hardly meant. */
  readonly warnings: readonly string[];
  /** The file that was read. */
  readonly file?: string;
  /** Credentials that were made by this call: to be shown once. */
  readonly madeCredentials?: MadeCredentials;
}

/**
 * Reads, checks and completes the configuration. The result is frozen.
 * @throws ConfigError with every mistake that was found.
 */
export async function loadSettings(options: LoadOptions): Promise<LoadedSettings> {
  return new SettingsLoader(options).load();
}

/** A policy and the place it comes from. */
interface LocatedPolicy {
  readonly source: YamlSource;
  readonly path: readonly PropertyKey[];
  readonly policy: PolicyFile;
}

class SettingsLoader {
  readonly #options: LoadOptions;
  readonly #problems: ConfigProblem[] = [];
  readonly #warnings: string[] = [];
  readonly #dataDir: string;
  #madeCredentials: MadeCredentials | undefined;

  constructor(options: LoadOptions) {
    this.#options = options;
    const dataDir = options.env['S3EG_DATA_DIR'];
    this.#dataDir = resolve(options.cwd, dataDir === undefined || dataDir === '' ? 'data' : dataDir);
  }

  async load(): Promise<LoadedSettings> {
    const { env, cwd } = this.#options;
    const named = this.#options.file ?? (env['S3EG_CONFIG'] === '' ? undefined : env['S3EG_CONFIG']);
    const file = named === undefined ? undefined : resolve(cwd, named);
    const source =
      file === undefined ? await YamlSource.parse('defaults', '', env, cwd) : await this.#read(file, named ?? file);
    if (source === undefined) throw new ConfigError(this.#problems);
    for (const { variable, path } of environmentOverrides) {
      const value = env[variable];
      if (value !== undefined && value !== '') source.override(path, value, variable);
    }
    const config = validate(configSchema, source);
    if (config.problems !== undefined) {
      await this.#policyMistakes(source);
      throw new ConfigError([...config.problems, ...this.#problems]);
    }
    const settings = await this.#complete(config.value, source);
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
    return {
      settings: deepFreeze(settings),
      warnings: this.#warnings,
      ...(file === undefined ? {} : { file }),
      ...(this.#madeCredentials === undefined ? {} : { madeCredentials: this.#madeCredentials }),
    };
  }

  async #read(path: string, shownName: string): Promise<YamlSource | undefined> {
    try {
      const text = await readTextFile(path, maxFileBytes);
      return await YamlSource.parse(shownName, text, this.#options.env, dirname(path));
    } catch (error) {
      this.#problems.push({ source: shownName, path: '', message: `cannot read the file: ${reasonOf(error)}` });
      return undefined;
    }
  }

  async #complete(config: ConfigFile, source: YamlSource): Promise<Settings> {
    const context: ConvertContext = {
      directory: source.directory,
      report: (path, message) => this.#problems.push(source.problemAt(path, message)),
      warn: (message) => this.#warnings.push(message),
    };
    const { listen, admin, dataKeyCache, multipart, telemetry } = config;
    const backends = await this.#backends(config, context);
    const keys = await this.#keys(config, context);
    const policies = await this.#policies(config, source, { backends, keys });
    const credentials = await this.#credentials(config, source);
    this.#warnAboutListeners(config);
    return {
      listen: {
        host: listen.host,
        port: listen.port,
        ...(listen.tls === undefined ? {} : { tls: await convertTls(listen.tls, context) }),
        publicHosts: listen.publicHosts.map((host) => host.toLowerCase()),
        trustedProxies: listen.trustedProxies,
        drainTimeoutMs: listen.drainTimeout,
      },
      admin: { host: admin.host, port: admin.port, ...(admin.token === undefined ? {} : { token: admin.token }) },
      workers: config.workers === 'auto' ? automaticWorkers : config.workers,
      credentials,
      backends,
      keys,
      dataKeyCache: {
        ttlMs: dataKeyCache.ttl,
        maxObjects: dataKeyCache.maxObjects,
        maxBytes: dataKeyCache.maxBytes,
        offlineTtlMs: dataKeyCache.offlineTtl,
      },
      crypto: config.crypto,
      ...(await convertRecovery(config, context)),
      rotationSchedules: rotationSchedules(config, keys.keys()),
      multipart: {
        ledger: 'store',
        prefix: multipart.prefix,
        ...(multipart.bucket === undefined ? {} : { bucket: multipart.bucket }),
      },
      policies,
      telemetry: { logLevel: telemetry.logLevel, metrics: { bucketLabels: telemetry.metrics.bucketLabels } },
      audit: convertAudit(config, context),
    };
  }

  async #backends(config: ConfigFile, context: ConvertContext): Promise<Map<string, BackendSettings>> {
    const { backends } = config;
    if (backends === undefined) {
      return new Map([[defaultNames.backends, { type: 'filesystem', root: join(this.#dataDir, 'objects') }]]);
    }
    const sections = Object.entries(backends);
    if (sections.length === 0) context.report(['backends'], 'must name at least one backend');
    const converted = new Map<string, BackendSettings>();
    for (const [name, section] of sections) converted.set(name, await convertBackend(name, section, context));
    return converted;
  }

  async #keys(config: ConfigFile, context: ConvertContext): Promise<Map<string, KeySettings>> {
    const readPrevious = config.rotation.readPrevious ?? 3;
    const { keys } = config;
    if (keys === undefined) {
      return new Map([[defaultNames.keys, { type: 'local', file: join(this.#dataDir, 'keyring.json'), readPrevious }]]);
    }
    const sections = Object.entries(keys);
    if (sections.length === 0) context.report(['keys'], 'must name at least one key');
    const converted = new Map<string, KeySettings>();
    for (const [name, section] of sections) {
      converted.set(name, await convertKey(name, section, { readPrevious, context }));
    }
    return converted;
  }

  async #policies(
    config: ConfigFile,
    source: YamlSource,
    named: { readonly backends: ReadonlyMap<string, unknown>; readonly keys: ReadonlyMap<string, unknown> },
  ): Promise<readonly ConfiguredPolicy[]> {
    const backendNames = [...named.backends.keys()];
    const keyNames = [...named.keys.keys()];
    const { suite } = config.crypto;
    const defaults = { backend: backendNames[0] ?? '', key: keyNames[0] ?? '', suite };
    if (config.policies === undefined) return [convertPolicy(policySchema.parse({ name: 'default' }), defaults)];
    const located = Array.isArray(config.policies)
      ? config.policies.map((policy, index) => ({ source, path: ['policies', index], policy }))
      : await this.#policyFiles(config.policies.dir, source);
    for (const { source: at, path, policy } of located) {
      this.#mustBeKnown(at, [...path, 'backend'], policy.backend, backendNames);
      this.#mustBeKnown(at, [...path, 'encryption', 'key'], policy.encryption.key, keyNames);
    }
    const policies = located.map(({ policy }) => convertPolicy(policy, defaults));
    this.#refuseAmbiguity(policies, located);
    return policies;
  }

  #mustBeKnown(source: YamlSource, path: readonly PropertyKey[], name: string | undefined, known: string[]): void {
    if (name === undefined || known.includes(name)) return;
    const section = path.at(-1) === 'key' ? 'keys' : 'backends';
    const suggestion = suggest(name, known);
    const message = `there is no "${name}" under "${section}"`;
    this.#problems.push(source.problemAt(path, message, suggestion === undefined ? {} : { suggestion }));
  }

  /** Mistakes in the policies of a file that has others: whoever mends it is to see all of them at once. */
  async #policyMistakes(source: YamlSource): Promise<void> {
    if (source.problems.length > 0) return;
    const dir = valueAt(source.value, ['policies', 'dir']);
    const inline = valueAt(source.value, ['policies']);
    const located = typeof dir === 'string' ? await this.#policyFiles(dir, source) : [];
    const values = Array.isArray(inline) ? inline.map((_, index) => ({ source, path: ['policies', index] })) : located;
    for (const { source: at, path } of values) {
      for (const [section, setting] of [
        ['backends', ['backend']],
        ['keys', ['encryption', 'key']],
      ] as const) {
        const names: unknown = valueAt(source.value, [section]) ?? { [defaultNames[section]]: {} };
        const name = valueAt(at.value, [...path, ...setting]);
        if (typeof name !== 'string' || typeof names !== 'object' || names === null) continue;
        this.#mustBeKnown(at, [...path, ...setting], name, Object.keys(names));
      }
    }
  }

  async #policyFiles(dir: string, source: YamlSource): Promise<LocatedPolicy[]> {
    const directory = resolve(source.directory, dir);
    const reportDir = (message: string): void =>
      void this.#problems.push(source.problemAt(['policies', 'dir'], message));
    let names: string[];
    try {
      names = (await readdir(directory)).filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.')).toSorted();
    } catch (error) {
      reportDir(`cannot read the directory: ${reasonOf(error)}`);
      return [];
    }
    if (names.length === 0) reportDir('the directory holds no *.yaml file');
    if (names.length > maxPolicyFiles) reportDir(`the directory holds more than ${maxPolicyFiles} files`);
    const located: LocatedPolicy[] = [];
    for (const name of names.slice(0, maxPolicyFiles)) {
      const file = await this.#read(join(directory, name), join(dir, name));
      if (file === undefined) continue;
      const policy = validate(policySchema, file);
      if (policy.problems !== undefined) this.#problems.push(...policy.problems);
      else located.push({ source: file, path: [], policy: policy.value });
    }
    return located;
  }

  #refuseAmbiguity(policies: readonly ConfiguredPolicy[], located: readonly LocatedPolicy[]): void {
    try {
      PolicySet.of(policies);
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      const second = located.findLast(({ policy }) => policy.name === error.policies[1]);
      if (second === undefined) throw error;
      const field = error.code === 'duplicate_name' ? 'name' : 'match';
      this.#problems.push(second.source.problemAt([...second.path, field], error.message));
    }
  }

  async #credentials(config: ConfigFile, source: YamlSource): Promise<readonly Credential[]> {
    const credentials: Credential[] = [...(config.credentials ?? [])];
    if (config.credentialsFile !== undefined) {
      const path = resolve(source.directory, config.credentialsFile);
      credentials.push(...(await this.#credentialsFile(path, config.credentialsFile)));
    } else if (config.credentials === undefined) {
      credentials.push(...(await this.#defaultCredentials()));
    } else if (credentials.length === 0) {
      this.#problems.push(source.problemAt(['credentials'], 'must have at least one entry'));
    }
    const seen = new Set<string>();
    for (const [index, { accessKeyId }] of credentials.entries()) {
      if (seen.has(accessKeyId)) {
        const message = `access key id "${accessKeyId}" is given twice`;
        this.#problems.push(source.problemAt(['credentials', index, 'accessKeyId'], message));
      }
      seen.add(accessKeyId);
    }
    return credentials;
  }

  async #defaultCredentials(): Promise<readonly Credential[]> {
    const file = join(this.#dataDir, 'credentials.json');
    if (this.#options.firstStart === true) this.#madeCredentials = await makeCredentialsFile(file);
    else if ((await fileMode(file)) === undefined) {
      this.#warnings.push(`no credentials yet: ${file} is made at the first start`);
      return [];
    }
    return this.#credentialsFile(file, file);
  }

  async #credentialsFile(path: string, shownName: string): Promise<readonly Credential[]> {
    const source = await this.#read(path, shownName);
    if (source === undefined) return [];
    const mode = await fileMode(path);
    if (mode !== undefined && (mode & 0o077) !== 0) {
      this.#warnings.push(`${shownName} can be read by other users of this machine: its mode should be 0600`);
    }
    const checked = validate(credentialsFileSchema, source);
    if (checked.problems === undefined) return checked.value.credentials;
    this.#problems.push(...checked.problems);
    return [];
  }

  #warnAboutListeners({ listen, admin }: ConfigFile): void {
    if (listen.tls === undefined && !isLoopback(listen.host)) {
      this.#warnings.push(
        `listen: plain HTTP on ${listen.host}; objects can be read on the way unless a proxy adds TLS`,
      );
    }
    if (!isLoopback(admin.host)) {
      this.#warnings.push(`admin: plain HTTP on ${admin.host}; metrics and health can be read by whoever reaches it`);
    }
    if (admin.port !== 0 && admin.port === listen.port && admin.host === listen.host) {
      this.#problems.push({ source: 'configuration', path: 'admin.port', message: 'is the port of the S3 listener' });
    }
  }
}

async function fileMode(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode;
  } catch {
    return undefined;
  }
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of value instanceof Map ? value.values() : Object.values(value)) deepFreeze(inner);
  return value;
}
