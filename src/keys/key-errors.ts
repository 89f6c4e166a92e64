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

/** A call of a provider that has been closed. */
export function closedError(name: string): KeyError {
  return new KeyError('unavailable', `key ${quoted(name)} is closed`);
}

/** Whether the key service did not answer: the one failure that cached keys tide over. */
export function isUnavailable(error: unknown): error is KeyError {
  return error instanceof KeyError && error.code === 'unavailable';
}
