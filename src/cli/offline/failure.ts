import { messageOf } from '../../base/message-of.ts';
import { KeyError } from '../../keys/key-provider.ts';

/** What is said of an object that could not be opened or decrypted. */
export function failureMessage(error: unknown): string {
  const message = messageOf(error);
  if (!(error instanceof KeyError) || error.code !== 'wrong_key') return message;
  return `${message}. Were these its bucket and key, and is this its keyring?`;
}

/** The error's code for programs, such as `authentication_failed` or `ENOENT`. */
export function failureCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'failed';
}
