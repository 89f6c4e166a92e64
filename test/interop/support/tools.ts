/** Where the real servers and clients are: what `.ci/setup-interop` made, and the two programs that it needs itself. */
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';

/** The checkout under test. */
export const repository = resolve(import.meta.dirname, '../../..');

/** Programs of this folder, each a client of its own. */
export const clientScripts = join(repository, 'test/interop/clients');

const { XDG_CACHE_HOME, S3EG_INTEROP_DIR } = process.env;
const cacheHome = XDG_CACHE_HOME === undefined || XDG_CACHE_HOME === '' ? join(homedir(), '.cache') : XDG_CACHE_HOME;
const toolFolder = S3EG_INTEROP_DIR ?? join(cacheHome, 's3eg-interop');

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A missing tool fails the whole file: nothing here is ever skipped. */
function installed(path: string): string {
  const full = join(toolFolder, path);
  if (!isExecutable(full)) throw new Error(`${full} is missing: run .ci/setup-interop first`);
  return full;
}

/** Folder whose `node_modules` has the packages of `clients/js`. */
export const jsFolder = dirname(installed('js/node_modules'));

/** What `java` needs on its class path for the drivers of `clients/java`. */
export const javaClassPath = [installed('java/classes'), join(installed('java/dependency'), '*')].join(delimiter);

/** Paths of the programs; all are there. */
export const tools = {
  minio: installed('bin/minio'),
  versitygw: installed('bin/versitygw'),
  rclone: installed('bin/rclone'),
  goClient: installed('bin/go-client'),
  minioGoTests: installed('bin/minio-go-tests'),
  aws: installed('python/bin/aws'),
  s3cmd: installed('python/bin/s3cmd'),
  s5cmd: installed('s5cmd/bin/s5cmd'),
  python: installed('python/bin/python'),
  minioPyTests: installed('minio-py-tests'),
  dataPython: installed('data/bin/python'),
  barmanArchive: installed('data/bin/barman-cloud-wal-archive'),
  barmanRestore: installed('data/bin/barman-cloud-wal-restore'),
  moto: installed('moto/bin/moto_server'),
  localKms: installed('bin/local-kms'),
  vault: installed('bin/vault'),
  openbao: installed('openbao/bin/bao'),
} as const;

/** The first program of this name on PATH, outside of any `node_modules`, or among those of root. */
export function systemProgram(name: string): string {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  const folders = [...path, '/usr/sbin'];
  const found = folders.map((folder) => join(folder, name)).find(isExecutable);
  if (found === undefined) throw new Error(`${name} is not on PATH`);
  return found;
}
