/** The command-line clients, each with a configuration of its own and otherwise as it comes. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { S3Access } from './backends.ts';
import { run, runOk, type Command, type Finished } from './processes.ts';
import { systemProgram, tools } from './tools.ts';
import type { Workspace } from './workspace.ts';

/** A client bound to one endpoint. */
export class CommandClient {
  readonly #command: Command;

  constructor(command: Command) {
    this.#command = command;
  }

  /** Runs it; fails unless it exits with 0. */
  async ok(...args: readonly string[]): Promise<Finished> {
    return await runOk(this.#with(args));
  }

  /** Runs it, whatever comes of it. */
  async run(...args: readonly string[]): Promise<Finished> {
    return await run(this.#with(args));
  }

  #with(args: readonly string[]): Command {
    return { ...this.#command, args: [...this.#command.args, ...args] };
  }
}

function baseEnvironment(home: string): Readonly<Record<string, string>> {
  return { PATH: '/usr/bin:/bin', HOME: home, LANG: 'C.UTF-8', AWS_EC2_METADATA_DISABLED: 'true' };
}

function awsEnvironment(home: string, access: S3Access): Readonly<Record<string, string>> {
  return {
    ...baseEnvironment(home),
    AWS_ACCESS_KEY_ID: access.accessKeyId,
    AWS_SECRET_ACCESS_KEY: access.secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
  };
}

/** AWS CLI with nothing set but credentials, region and endpoint. */
export async function awsCli(workspace: Workspace, access: S3Access): Promise<CommandClient> {
  const cwd = await workspace.folder('aws');
  const env = awsEnvironment(cwd, access);
  return new CommandClient({ program: tools.aws, args: ['--endpoint-url', access.endpoint], cwd, env });
}

/** s5cmd with nothing set but credentials, region and endpoint; it answers in JSON lines. */
export async function s5cmd(workspace: Workspace, access: S3Access): Promise<CommandClient> {
  const cwd = await workspace.folder('s5cmd');
  const env = { ...awsEnvironment(cwd, access), AWS_REGION: 'us-east-1' };
  return new CommandClient({ program: tools.s5cmd, args: ['--json', '--endpoint-url', access.endpoint], cwd, env });
}

/** restic with a repository in a bucket, which `init` makes, and a password; it answers in JSON lines. */
export async function restic(workspace: Workspace, access: S3Access, bucket: string): Promise<CommandClient> {
  const cwd = await workspace.folder('restic');
  const env = { ...awsEnvironment(cwd, access), RESTIC_PASSWORD: 'of the repository' };
  const repository = `s3:${access.endpoint}/${bucket}`;
  return new CommandClient({ program: systemProgram('restic'), args: ['--json', '--repo', repository], cwd, env });
}

/** s3cmd with nothing set but credentials and host. */
export async function s3cmd(workspace: Workspace, access: S3Access): Promise<CommandClient> {
  const cwd = await workspace.folder('s3cmd');
  const { host } = new URL(access.endpoint);
  const settings = {
    access_key: access.accessKeyId,
    secret_key: access.secretAccessKey,
    host_base: host,
    host_bucket: host,
    use_https: 'False',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  await writeFile(join(cwd, '.s3cfg'), ['[default]', ...lines, ''].join('\n'));
  return new CommandClient({ program: tools.s3cmd, args: ['--no-progress'], cwd, env: baseEnvironment(cwd) });
}

/** rclone with one remote for each given name, of the kind that fits any S3 server unless another one is named. */
export async function rclone(
  workspace: Workspace,
  remotes: Readonly<Record<string, S3Access>>,
  provider: 'Other' | 'Minio' = 'Other',
): Promise<CommandClient> {
  const cwd = await workspace.folder('rclone');
  const sections = Object.entries(remotes).map(([name, { endpoint, accessKeyId, secretAccessKey }]) =>
    [
      `[${name}]`,
      'type = s3',
      `provider = ${provider}`,
      `access_key_id = ${accessKeyId}`,
      `secret_access_key = ${secretAccessKey}`,
      `endpoint = ${endpoint}`,
      'region = us-east-1',
      '',
    ].join('\n'),
  );
  const config = join(cwd, 'rclone.conf');
  await writeFile(config, sections.join('\n'));
  return new CommandClient({ program: tools.rclone, args: ['--config', config], cwd, env: baseEnvironment(cwd) });
}
