import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { isRuntimeName, runtimeProgram, type RuntimeName } from '../support/runtimes.ts';
import { startArguments } from '../support/start-command.ts';
import { otherGateway } from './results.ts';
import { loopback, running, startProcess, until, type Target } from './target.ts';

/** A gateway other than that of this checkout in front of nothing. */
export interface GatewayOptions {
  readonly name: string;
  /** The server behind it; default: its embedded store. */
  readonly backend?: Pick<Target, 'host' | 'port' | 'credentials' | 'pid'>;
  /** Another checkout, with its packages installed. */
  readonly checkout?: string;
  /** What it runs on; by default what the benchmark does. */
  readonly runtime?: RuntimeName;
  /** Sections for the configuration, in YAML. */
  readonly settings?: string;
  /** Options for node beside those of `npm start`. */
  readonly nodeOptions?: readonly string[];
  /** The command before that of the gateway, e.g. one that binds it to one core. */
  readonly prefix?: readonly string[];
}

/** In what a second gateway differs from that of this checkout. */
export type Variant = Pick<GatewayOptions, 'name' | 'checkout' | 'runtime' | 'settings'>;

/** The variant that a runtime's name means, settings in YAML (`workers: 2`), or the folder of a checkout. */
export function variantOf(text: string): Variant {
  if (isRuntimeName(text)) return { name: otherGateway(`on ${text}`), runtime: text };
  if (text.includes(': ')) return { name: otherGateway(`with ${text}`), settings: text };
  const checkout = resolve(text);
  return { name: otherGateway(`of ${checkout}`), checkout };
}

/** The gateway as it is shipped, with everything it writes in `folder`; keyring and credentials that are there are kept. */
export async function startGateway(folder: string, options: GatewayOptions): Promise<Target> {
  const { name, backend, checkout, runtime = 'node', nodeOptions = [], prefix = [] } = options;
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 's3eg.yaml');
  writeFileSync(config, configuration(options));
  const command = [
    ...prefix,
    runtimeProgram(runtime),
    ...nodeOptions,
    ...startArguments(checkout, runtime),
    ...(backend === undefined && options.settings === undefined ? [] : ['--config', config]),
  ];
  const child = startProcess(command, folder, { S3EG_LISTEN_PORT: '0', S3EG_ADMIN_PORT: '0' });
  const log = (): string => readFileSync(join(folder, 'output.log'), 'utf8');
  await until(child, async () => log().includes('"gateway started"'));
  const { credentials } = JSON.parse(readFileSync(join(folder, 'data', 'credentials.json'), 'utf8'));
  return {
    name,
    ...running(child),
    ...(backend === undefined ? {} : { backendPid: backend.pid }),
    host: loopback,
    port: portIn(log()),
    credentials: credentials[0],
    bucket: 'bench-gateway',
  };
}

function configuration({ backend, settings = '' }: GatewayOptions): string {
  if (backend === undefined) return settings;
  const endpoint = `http://${backend.host}:${backend.port}`;
  const credentials = JSON.stringify(backend.credentials);
  return `backends:\n  minio: { type: s3, endpoint: "${endpoint}", credentials: ${credentials} }\n${settings}\n`;
}

function portIn(log: string): number {
  const found =
    /"gateway started".*"address":"http:\/\/[^:]+:(\d+)"|"address":"http:\/\/[^:]+:(\d+)".*"gateway started"/.exec(log);
  return Number(found?.slice(1).find(Boolean));
}
