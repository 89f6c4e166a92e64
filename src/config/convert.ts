import { resolve } from 'node:path';

import type { ConfiguredPolicy, SuiteSetting } from '../policy/policy.ts';
import { readTextFile, reasonOf } from './placeholders.ts';
import type { BackendSection, ConfigFile, PolicyFile } from './schema.ts';
import type { AuditSinkSettings, BackendSettings, Settings, TlsSettings } from './settings.ts';

/** Reports a mistake at a path of the document that is being converted. */
export type Report = (path: readonly PropertyKey[], message: string) => void;

/** What the conversion of a section needs to know. */
export interface ConvertContext {
  /** Directory that relative paths start from. */
  readonly directory: string;
  readonly report: Report;
  readonly warn: (message: string) => void;
}

const maxPemBytes = 1024 * 1024;
const loopback = /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/;

/** Whether a host is this machine, so that nobody else can listen in. */
export function isLoopback(host: string): boolean {
  return loopback.test(host);
}

/** A PEM text that is given as such or as the path of its file. */
export async function loadPem(value: string, path: readonly PropertyKey[], context: ConvertContext): Promise<string> {
  if (value.includes('-----BEGIN ')) return value;
  try {
    const pem = await readTextFile(resolve(context.directory, value), maxPemBytes);
    if (!pem.includes('-----BEGIN ')) context.report(path, 'the file holds no PEM text');
    return pem;
  } catch (error) {
    context.report(path, `cannot read the file: ${reasonOf(error)}`);
    return '';
  }
}

/** Loads the texts of a TLS section. */
export async function convertTls(
  section: NonNullable<ConfigFile['listen']['tls']>,
  context: ConvertContext,
): Promise<TlsSettings> {
  const path = ['listen', 'tls'];
  const cert = await loadPem(section.cert, [...path, 'cert'], context);
  const key = await loadPem(section.key, [...path, 'key'], context);
  if (section.clientCa === undefined) return { cert, key };
  return { cert, key, clientCa: await loadPem(section.clientCa, [...path, 'clientCa'], context) };
}

function convertEndpoint(text: string, path: readonly PropertyKey[], context: ConvertContext): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    context.report(path, 'must be an address such as https://s3.example.org');
    return text;
  }
  if (url.username !== '' || url.password !== '') context.report(path, 'must not hold credentials');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    context.report(path, 'must end after host and port');
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    context.warn(
      `${path.join('.')}: requests to ${url.hostname} go over plain HTTP; object names can be read on the way`,
    );
  }
  return url.origin;
}

/** Converts one backend. */
export async function convertBackend(
  name: string,
  section: BackendSection,
  context: ConvertContext,
): Promise<BackendSettings> {
  if (section.type === 'filesystem') return { type: 'filesystem', root: resolve(context.directory, section.root) };
  const path = ['backends', name];
  const { credentials } = section;
  // The schema refuses everything but a section.
  if (typeof credentials === 'string') throw new TypeError('credentials must be a section');
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    type: 's3',
    endpoint: convertEndpoint(section.endpoint, [...path, 'endpoint'], context),
    region: section.region,
    pathStyle: section.pathStyle,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    ...(section.ca === undefined ? {} : { ca: await loadPem(section.ca, [...path, 'ca'], context) }),
    maxConnections: section.maxConnections,
    connectTimeoutMs: section.connectTimeout,
    headersTimeoutMs: section.headersTimeout,
    bodyTimeoutMs: section.bodyTimeout,
    retries: section.retries,
    quirks: section.quirks,
  };
}

/** What a policy has where it names none: the first backend and key, and the suite of `crypto`. */
export interface PolicyDefaults {
  readonly backend: string;
  readonly key: string;
  readonly suite: SuiteSetting;
}

/** Converts one policy. */
export function convertPolicy(file: PolicyFile, defaults: PolicyDefaults): ConfiguredPolicy {
  const { encryption } = file;
  return {
    name: file.name,
    match: file.match,
    backend: file.backend ?? defaults.backend,
    encryption: {
      mode: encryption.mode,
      key: encryption.key ?? defaults.key,
      suite: encryption.suite ?? defaults.suite,
      segmentSizeBytes: encryption.segmentSize,
      unencryptedReads: encryption.unencryptedReads,
      etag: encryption.etag,
    },
    limits: { maxObjectBytes: file.limits.maxObjectBytes },
  };
}

/** Converts the sinks of audit events; each can be named once. */
export function convertAudit({ audit: { sinks } }: ConfigFile, context: ConvertContext): Settings['audit'] {
  if (sinks === undefined) return {};
  const seen = new Set<string>();
  return {
    sinks: sinks.map((sink, index): AuditSinkSettings => {
      const converted = sink.type === 'file' ? { ...sink, file: resolve(context.directory, sink.file) } : sink;
      const id = converted.type === 'file' ? converted.file : '';
      if (seen.has(id)) context.report(['audit', 'sinks', index], 'is there already');
      seen.add(id);
      return converted;
    }),
  };
}
