/** Where the programs are that the demo needs and the gateway does not. */
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

/** The folder of the gateway. */
export const repository = resolve(import.meta.dirname, '../..');

/** A program, and whether `.ci/setup-interop` made it: those take other options than the product of the same name. */
export interface Tool {
  readonly path: string;
  readonly isOurs: boolean;
}

/** A program is not there. */
export class ToolMissing extends Error {
  override readonly name = 'ToolMissing';
}

const { XDG_CACHE_HOME, S3EG_INTEROP_DIR } = process.env;
const cacheHome = XDG_CACHE_HOME === undefined || XDG_CACHE_HOME === '' ? join(homedir(), '.cache') : XDG_CACHE_HOME;
const toolFolder = S3EG_INTEROP_DIR ?? join(cacheHome, 's3eg-interop');

const hints = {
  aws: 'the AWS CLI: "pip install awscli"',
  vault: 'HashiCorp Vault: https://developer.hashicorp.com/vault/install',
  moto_server: 'moto, a stand-in for AWS: "pip install \'moto[server]\'"',
  npm: 'npm, which comes with Node',
} as const;

/**
 * A program: what `.ci/setup-interop` left in its folder, else the first one of this name on PATH.
 * @throws ToolMissing with what to do.
 */
export function findTool(name: keyof typeof hints, inToolFolder?: string): Tool {
  const ours = inToolFolder === undefined ? undefined : toolAt(inToolFolder);
  if (ours !== undefined) return ours;
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  const path = folders.map((folder) => join(folder, name)).find(isExecutable);
  if (path !== undefined) return { path, isOurs: false };
  throw new ToolMissing(`${name} is not on PATH. It is ${hints[name]}; ".ci/setup-interop" brings all that is needed.`);
}

/** What `.ci/setup-interop` left at a path of its folder; undefined where it has not run. */
export function toolAt(path: string): Tool | undefined {
  const full = join(toolFolder, path);
  return isExecutable(full) ? { path: full, isOurs: true } : undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
