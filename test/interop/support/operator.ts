/** The commands of an operator beside a gateway that runs. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';

import type { Server } from './backends.ts';
import type { Gateway } from './gateway.ts';
import { run, type Command, type Finished } from './processes.ts';
import { repository } from './tools.ts';
import type { Workspace } from './workspace.ts';

/** What is left under one version of a key. */
export interface Version {
  readonly keyName: string;
  readonly keyVersion: string;
  readonly objects: number;
  readonly oldVersions: number;
  readonly mayBeRetired: boolean;
}

/** What `s3eg rewrap --json` says of one backend. */
export interface Report {
  readonly ok: boolean;
  readonly guard?: string;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly failed: number;
  readonly failures: readonly { readonly key: string; readonly versionId?: string; readonly code: string }[];
  readonly locked: number;
  readonly oldVersionsRewrapped: number;
  readonly recordsRemoved: number;
  readonly versions: readonly Version[];
}

/** Two keys, so that a rewrap always has something to do. */
export function keysBelow(folder: string): object {
  const file = (name: string): object => ({ type: 'local', file: join(folder, name) });
  return { local: file('keyring.json'), spare: file('spare.json') };
}

/** The commands of an operator, with a configuration of their own for the gateway's backend and keyring. */
export class Operator {
  readonly #command: Omit<Command, 'args'>;
  readonly #config: string;

  private constructor(command: Omit<Command, 'args'>, config: string) {
    this.#command = command;
    this.#config = config;
  }

  static async start(workspace: Workspace, { access: backend }: Server, gateway: Gateway): Promise<Operator> {
    const cwd = await workspace.folder('operator');
    const config = join(cwd, 'gateway.yaml');
    const { endpoint, ...credentials } = backend;
    const sections = {
      backends: { main: { type: 's3', endpoint, region: 'us-east-1', credentials } },
      keys: keysBelow(gateway.dataDir),
      credentials: [{ accessKeyId: 'nobody', secretAccessKey: 'nobody-nobody', allow: [{ actions: ['read'] }] }],
    };
    await writeFile(config, JSON.stringify(sections));
    const env = { PATH: '/usr/bin:/bin', HOME: cwd, NODE_COMPILE_CACHE: join(repository, 'node_modules/.cache/e2e') };
    return new Operator({ program: execPath, cwd, env }, config);
  }

  command(...args: readonly string[]): Command {
    return {
      ...this.#command,
      args: [join(repository, 'src/cli/main.ts'), ...args, '--config', this.#config],
    };
  }

  async s3eg(...args: readonly string[]): Promise<Finished> {
    return await run(this.command(...args));
  }

  /** Rotates, and gives the new version; a gateway that runs uses it some seconds later. */
  async rotate(): Promise<string> {
    const { code, stdout, stderr } = await this.s3eg('keys', 'rotate', '--key', 'local', '--json');
    assert.equal(code, 0, stderr);
    const { current }: { current: string } = JSON.parse(stdout);
    return current;
  }

  /** Takes a version out of use, at once: nobody must be writing. */
  async retire(keyVersion: string): Promise<void> {
    const { code, stderr } = await this.s3eg('keys', 'retire', '--key', 'local', '--key-version', keyVersion, '--now');
    assert.equal(code, 0, stderr);
  }

  async rewrap(bucket: string, ...args: readonly string[]): Promise<Report> {
    const { stdout, stderr } = await this.s3eg('rewrap', '--bucket', bucket, '--json', ...args);
    assert.notEqual(stdout, '', stderr);
    const [report]: [Report] = JSON.parse(stdout);
    return report;
  }
}
