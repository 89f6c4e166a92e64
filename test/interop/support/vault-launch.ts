/** How the servers that speak Vault's API are started, each in its way, initialised and unsealed. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Daemon } from './processes.ts';
import { tools } from './tools.ts';

/** Which server. */
export type VaultProduct = 'vault' | 'openbao';

/** Where it is started. */
export interface LaunchPlace {
  readonly folder: string;
  readonly port: number;
  /** Files of a certificate and its key; without them it speaks plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Asks it without a token. */
  readonly ask: (path: string, body: object) => Promise<Readonly<Record<string, unknown>>>;
}

/** It runs, unsealed. */
export interface Launched {
  readonly process: Daemon;
  readonly rootToken: string;
  readonly unsealKey: string;
}

/** Each product's way. */
export const launchers: Readonly<Record<VaultProduct, (place: LaunchPlace) => Promise<Launched>>> = {
  vault: launchVault,
  openbao: launchOpenBao,
};

/** HashiCorp's core, as `test/interop/servers/vault` links it: it keeps its data in files, and opens its own seal. */
async function launchVault({ folder, port, tls }: LaunchPlace): Promise<Launched> {
  const listen = ['-listen', `127.0.0.1:${port}`, '-data', folder];
  const certificate = tls === undefined ? [] : ['-cert', tls.cert, '-key', tls.key];
  const command = { program: tools.vault, args: [...listen, ...certificate], cwd: folder, env: environment(folder) };
  const process = await Daemon.start(command, ({ stdout }) => stdout.includes('listening on '));
  const init: { readonly root_token: string; readonly unseal_key: string } = JSON.parse(
    await readFile(join(folder, 'init.json'), 'utf8'),
  );
  return { process, rootToken: init.root_token, unsealKey: init.unseal_key };
}

/** OpenBao as its own release is; its data is gone when it ends. */
async function launchOpenBao({ folder, port, tls, ask }: LaunchPlace): Promise<Launched> {
  const certificate = tls === undefined ? { tls_disable: true } : { tls_cert_file: tls.cert, tls_key_file: tls.key };
  const config = {
    storage: { inmem: {} },
    listener: { tcp: { address: `127.0.0.1:${port}`, ...certificate } },
    api_addr: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
  };
  const file = join(folder, 'openbao.json');
  await writeFile(file, JSON.stringify(config));
  const command = {
    program: tools.openbao,
    args: ['server', `-config=${file}`],
    cwd: folder,
    env: environment(folder),
  };
  const process = await Daemon.start(command, ({ stdout }) => stdout.includes('server started!'));
  const made = await ask('sys/init', { secret_shares: 1, secret_threshold: 1 });
  const [unsealKey] = Array.isArray(made['keys_base64']) ? made['keys_base64'] : [];
  await ask('sys/unseal', { key: unsealKey });
  return { process, rootToken: String(made['root_token']), unsealKey: String(unsealKey) };
}

function environment(folder: string): Readonly<Record<string, string>> {
  return { PATH: '', HOME: folder };
}
