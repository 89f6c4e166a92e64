import { randomBytes, randomInt } from 'node:crypto';
import { chmod, link, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import { ConfigError } from './problem.ts';
import { reasonOf } from './placeholders.ts';

/** Credentials that were just made: to be shown once. */
export interface MadeCredentials {
  readonly file: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function randomAccessKeyId(): string {
  return `S3EG${Array.from({ length: 16 }, () => alphabet[randomInt(alphabet.length)]).join('')}`;
}

/**
 * Makes a credentials file (mode 0600) with one access key that may do everything, unless the file exists already.
 * The file appears whole or not at all; of several processes that start at once one makes it.
 * @returns what was made; undefined where the file was there.
 * @throws ConfigError when the file cannot be written.
 */
export async function makeCredentialsFile(file: string): Promise<MadeCredentials | undefined> {
  const credential = {
    accessKeyId: randomAccessKeyId(),
    // 30 bytes are 40 characters without padding; `+` and `/` would have to be quoted in shells and URLs.
    secretAccessKey: randomBytes(30).toString('base64url'),
    allow: [{ buckets: ['*'], prefixes: [''], actions: ['read', 'write', 'delete', 'list', 'admin'] }],
  };
  const temporary = `${file}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify({ credentials: [credential] }, undefined, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chmod(temporary, 0o600);
    // A link fails where the name exists: an existing file is never overwritten.
    await link(temporary, file);
  } catch (error) {
    if (reasonOf(error) === 'EEXIST') return undefined;
    const message = `cannot make the credentials file: ${reasonOf(error)}`;
    throw new ConfigError([{ source: file, path: '', message }], { cause: error });
  } finally {
    await rm(temporary, { force: true });
  }
  return { file, accessKeyId: credential.accessKeyId, secretAccessKey: credential.secretAccessKey };
}
