import { KeyError } from './key-provider.ts';
import { quoted } from './quoted.ts';

/** A wrapped key that a version of a key does not open; every provider says it in the same words. */
export function wrongKeyError(name: string, version: string, cause?: unknown): KeyError {
  return new KeyError(
    'wrong_key',
    `version ${version} of key ${quoted(name)} does not open this: another key, another context, or altered bytes`,
    cause === undefined ? {} : { cause },
  );
}

/**
 * A key or version that the key service, or the configuration, does not let the gateway use. The message has the service's own
 * words, for the log and for operators.
 */
export class KeyRefusedError extends KeyError {
  /** For clients: names key and version and what to do, and nothing of the key service. */
  readonly publicMessage: string;

  constructor(refusal: KeyError, name: string, version?: string) {
    const what = `${version === undefined ? '' : `version ${quoted(version)} of `}key ${quoted(name)}`;
    super(refusal.code, `${what} cannot be used: ${refusal.message}`, { cause: refusal });
    const advice = 's3eg keys status and the gateway’s log say what is wrong with it';
    this.publicMessage =
      refusal.code === 'denied'
        ? `the key service does not let the gateway use ${what}: enable it there, or give the gateway the right to use it; ${advice}`
        : `${what} cannot be used as it is configured: ${advice}`;
  }
}

/** A refusal of the key service or of the configuration, with the key and version that it is about; else the error as it is. */
export function explainRefusal(error: unknown, name: string, version?: string): unknown {
  if (!(error instanceof KeyError) || error instanceof KeyRefusedError) return error;
  return error.code === 'denied' || error.code === 'misconfigured' ? new KeyRefusedError(error, name, version) : error;
}

/** A call of a provider that has been closed. */
export function closedError(name: string): KeyError {
  return new KeyError('unavailable', `key ${quoted(name)} is closed`);
}

/** Whether the key service did not answer: the one failure that cached keys tide over. */
export function isUnavailable(error: unknown): error is KeyError {
  return error instanceof KeyError && error.code === 'unavailable';
}

/**
 * Whether the key service answered that this version does not open things, or the window did: what is wrapped by another
 * version may open nevertheless.
 */
export function isVersionRefused(error: unknown): boolean {
  return error instanceof KeyError && ['outside_window', 'not_found', 'denied'].includes(error.code);
}
