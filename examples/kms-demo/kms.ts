/** A stand-in for AWS KMS: it speaks the protocol, and verifies no signature. */
import { mkdir } from 'node:fs/promises';

import { freePort } from './free-port.ts';
import { Server, type Command } from './processes.ts';
import { findTool, toolAt, type Tool } from './tools.ts';

/** The stand-ins that can be chosen. */
export const kmsNames = ['local-kms', 'moto'] as const;

export type KmsName = (typeof kmsNames)[number];

/** A stand-in that is there. */
export interface KmsTool {
  readonly name: KmsName;
  readonly tool: Tool;
}

/** Region of the keys. */
export const region = 'eu-central-1';

/** The stand-in of this name; without a name local-kms, which refuses disabled keys as AWS does, or else moto. */
export function findKms(name: KmsName | undefined): KmsTool {
  const localKms = name === 'moto' ? undefined : toolAt('bin/local-kms');
  if (localKms !== undefined) return { name: 'local-kms', tool: localKms };
  return { name: 'moto', tool: findTool('moto_server', 'moto/bin/moto_server') };
}

/** Starts a fresh one; gives its address. */
export async function startKms({ name, tool }: KmsTool, folder: string, env: Command['env']): Promise<string> {
  await mkdir(folder);
  return name === 'moto' ? await startMoto(tool.path, folder, env) : await startLocalKms(tool.path, folder, env);
}

async function startMoto(program: string, cwd: string, env: Command['env']): Promise<string> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  await Server.start(
    { program, args: ['-H', '127.0.0.1', '-p', String(port)], cwd, env },
    async () => await answers(endpoint),
  );
  return endpoint;
}

async function startLocalKms(program: string, cwd: string, env: Command['env']): Promise<string> {
  const args = ['-data', cwd, '-region', region];
  const server = await Server.start({ program, args, cwd, env }, ({ stdout }) => stdout.includes('listening on '));
  return `http://${/listening on (\S+)/.exec(server.stdout)?.[1]}`;
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    await (await fetch(endpoint)).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
