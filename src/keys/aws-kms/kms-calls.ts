import { DescribeKeyCommand, type KeyMetadata } from '@aws-sdk/client-kms';

import { closedError } from '../key-errors.ts';
import { KeyError } from '../key-provider.ts';
import { quoted } from '../quoted.ts';
import { localArn, parseKeyArn } from './key-arn.ts';
import type { KmsClients } from './kms-client.ts';
import { toKeyError } from './kms-errors.ts';

/** Whose calls these are. */
export interface KmsCallsOptions {
  /** Name under `keys:` of the configuration. */
  readonly name: string;
  /** Longest wait for one answer; a call with all its tries ends after twice that time. */
  readonly timeoutMs: number;
}

/** What a call is for; both stand in the message of a failure. */
export interface KmsCall {
  readonly what: string;
  /** The key as it is asked for. */
  readonly keyId: string;
  readonly signal: AbortSignal | undefined;
  /** `immediate` tries once. */
  readonly client: keyof KmsClients;
}

/** Calls of AWS KMS for one key, each bounded in time, with failures as `KeyError`. */
export class KmsCalls {
  readonly #options: KmsCallsOptions;
  readonly #clients: KmsClients;
  #closed = false;

  constructor(options: KmsCallsOptions, clients: KmsClients) {
    this.#options = options;
    this.#clients = clients;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Runs one call of the SDK, whose waiting between tries a signal does not end: this does. */
  async run<T>(
    { what, keyId, signal, client }: KmsCall,
    send: (client: KmsClients['patient'], options: { readonly abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    this.checkOpen(signal);
    const timeout = AbortSignal.timeout(2 * this.#options.timeoutMs);
    const abortSignal = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    try {
      return await orAborted(send(this.#clients[client], { abortSignal }), abortSignal);
    } catch (error) {
      signal?.throwIfAborted();
      throw toKeyError(error, { keyId, what });
    }
  }

  async describeKey(
    keyId: string,
    signal: AbortSignal | undefined,
    client: keyof KmsClients = 'patient',
  ): Promise<KeyMetadata & { readonly Arn: string }> {
    const command = new DescribeKeyCommand({ KeyId: await this.here(keyId) });
    const { KeyMetadata: metadata } = await this.run({ what: 'describe', keyId, signal, client }, (kms, options) =>
      kms.send(command, options),
    );
    if (metadata?.Arn === undefined) throw this.noKms();
    return { ...metadata, Arn: metadata.Arn };
  }

  /** The name to ask for: a multi-Region key by the ARN of its replica here. */
  async here(keyId: string): Promise<string> {
    return parseKeyArn(keyId) === undefined ? keyId : localArn(keyId, await this.#clients.patient.config.region());
  }

  checkOpen(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#closed) throw closedError(this.#options.name);
  }

  /** For an answer that lacks what AWS KMS always says. */
  noKms(): KeyError {
    return new KeyError('misconfigured', `what answers for key ${quoted(this.#options.name)} is not AWS KMS`);
  }

  close(): void {
    this.#closed = true;
    this.#clients.patient.destroy();
    this.#clients.immediate.destroy();
  }
}

async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  // Whichever comes second is nobody's business any more.
  promise.catch(() => {});
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
