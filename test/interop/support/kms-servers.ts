/** Stand-ins for AWS KMS: moto, and local-kms. Both speak its protocol; neither verifies a signature. */
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  KMSClient,
  UpdateAliasCommand,
} from '@aws-sdk/client-kms';

import { startMoto } from './moto.ts';
import { Daemon } from './processes.ts';
import { tools } from './tools.ts';
import type { Workspace } from './workspace.ts';

/** The stand-ins. */
export const kmsServerNames = ['moto', 'local-kms'] as const;

export type KmsServerName = (typeof kmsServerNames)[number];

/** Credentials that the stand-ins take, unmistakable in any output. */
export const kmsCredentials = {
  accessKeyId: 'AKIAKNOWNSECRETTEST1',
  secretAccessKey: 'known-secret-of-aws-kms-0123456789abcdef',
} as const;

const region = 'eu-central-1';

/** A stand-in that runs, and what an administrator does there. */
export class KmsServer {
  readonly endpoint: string;
  readonly region = region;
  readonly #client: KMSClient;

  private constructor(endpoint: string) {
    this.endpoint = endpoint;
    this.#client = new KMSClient({ endpoint, region, credentials: { ...kmsCredentials } });
  }

  /** Starts a fresh one; it ends with the workspace. */
  static async start(name: KmsServerName, workspace: Workspace): Promise<KmsServer> {
    const server = new KmsServer(
      name === 'moto' ? (await startMoto(workspace)).endpoint : await startLocalKms(workspace),
    );
    workspace.defer(async () => server.#client.destroy());
    return server;
  }

  /** Makes a symmetric key; gives its ARN. */
  async createKey(): Promise<string> {
    const { KeyMetadata: metadata } = await this.#client.send(new CreateKeyCommand({ KeyUsage: 'ENCRYPT_DECRYPT' }));
    if (metadata?.Arn === undefined) throw new Error('no key was made');
    return metadata.Arn;
  }

  async createAlias(alias: string, arn: string): Promise<void> {
    await this.#client.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: idOf(arn) }));
  }

  async switchAlias(alias: string, arn: string): Promise<void> {
    await this.#client.send(new UpdateAliasCommand({ AliasName: alias, TargetKeyId: idOf(arn) }));
  }

  /** What `aws kms decrypt` does. */
  async decrypt(arn: string, ciphertext: Uint8Array, context: Readonly<Record<string, string>>): Promise<Uint8Array> {
    const command = new DecryptCommand({ KeyId: arn, CiphertextBlob: ciphertext, EncryptionContext: { ...context } });
    const { Plaintext: plain } = await this.#client.send(command);
    if (plain === undefined) throw new Error('no plaintext');
    return plain;
  }

  async disable(arn: string): Promise<void> {
    await this.#client.send(new DisableKeyCommand({ KeyId: idOf(arn) }));
  }

  async enable(arn: string): Promise<void> {
    await this.#client.send(new EnableKeyCommand({ KeyId: idOf(arn) }));
  }
}

function idOf(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}

async function startLocalKms(workspace: Workspace): Promise<string> {
  const cwd = await workspace.folder('local-kms');
  const command = {
    program: tools.localKms,
    args: ['-data', cwd, '-region', region],
    cwd,
    env: { PATH: '', HOME: cwd },
  };
  const daemon = workspace.use(await Daemon.start(command, ({ stdout }) => stdout.includes('listening on ')));
  const address = /listening on (\S+)/.exec(daemon.stdout)?.[1];
  return `http://${address}`;
}
