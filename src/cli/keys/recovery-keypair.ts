import { generateKeyPairSync } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { Command } from 'commander';

import { RecoveryPublicKey } from '../../keys/recovery-key.ts';
import type { CliIo } from '../cli-io.ts';

interface KeypairOptions {
  readonly privateKey: string;
  readonly publicKey: string;
  readonly json?: true;
}

/** `s3eg keys recovery-keypair`. */
export function recoveryKeypairCommand(io: CliIo): Command {
  return new Command('recovery-keypair')
    .description(
      'Makes a recovery key: the public half goes into the configuration (recovery.publicKeyFile), the private one is kept ' +
        'offline. With it "s3eg decrypt --recovery-key" opens every object written since, without gateway and key service.',
    )
    .requiredOption(
      '--private-key <file>',
      'File to make for the private key (mode 0600); one that is there is refused.',
    )
    .requiredOption('--public-key <file>', 'File to make for the public key; likewise.')
    .option('--json', 'Print the outcome as JSON.')
    .action(async (options: KeypairOptions) => {
      const id = await makeKeypair(io.cwd, options);
      if (options.json === true) io.out(`${JSON.stringify({ id })}\n`);
      else
        io.out(
          `Recovery key ${id}: keep ${options.privateKey} offline, and try a restore with it (docs/restore.md).\n`,
        );
    });
}

async function makeKeypair(cwd: string, { privateKey, publicKey }: KeypairOptions): Promise<string> {
  const pair = generateKeyPairSync('x25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const privateFile = resolve(cwd, privateKey);
  await writeFile(privateFile, pair.privateKey, { flag: 'wx', mode: 0o600, flush: true });
  try {
    await writeFile(resolve(cwd, publicKey), pair.publicKey, { flag: 'wx', mode: 0o644, flush: true });
  } catch (error) {
    // Half a pair would only be mistaken for a whole one.
    await rm(privateFile, { force: true });
    throw error;
  }
  return RecoveryPublicKey.ofPem(pair.publicKey).id;
}
