import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { reference } from './results.ts';
import { freePort, loopback, running, startProcess, until, type Target } from './target.ts';

/** Where the interop set-up put MinIO. @throws Error that says what to do where it is missing. */
export function minioBinary(): string {
  const cache =
    process.env['S3EG_INTEROP_DIR'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 's3eg-interop');
  const binary = join(cache, 'bin', 'minio');
  if (existsSync(binary)) return binary;
  throw new Error(
    `MinIO is not at ${binary}. Run .ci/setup-interop once, which builds it there, or set S3EG_INTEROP_DIR to where it did.`,
  );
}

/** How and where a MinIO is started, other than as usual. */
interface MinioPlace {
  /** The command before that of MinIO, e.g. one that puts it in a network of its own. */
  readonly prefix?: readonly string[];
  readonly host?: string;
}

/** A MinIO of one drive in `folder`. */
export async function startMinio(folder: string, { prefix = [], host = loopback }: MinioPlace = {}): Promise<Target> {
  const credentials = { accessKeyId: 'bench-access-key', secretAccessKey: 'bench-secret-key' };
  const objects = join(folder, 'objects');
  mkdirSync(objects, { recursive: true });
  const port = await freePort();
  const address = `${host}:${port}`;
  const command = [...prefix, minioBinary(), 'server', '--quiet', '--address', address, objects];
  const child = startProcess(command, folder, {
    MINIO_ROOT_USER: credentials.accessKeyId,
    MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
    MINIO_BROWSER: 'off',
    MINIO_UPDATE: 'off',
    HOME: folder,
  });
  await until(child, async () => (await fetch(`http://${address}/minio/health/ready`)).ok);
  return { name: reference, ...running(child), host, port, credentials, bucket: 'bench-direct' };
}
