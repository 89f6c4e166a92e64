import { setTimeout as sleepFor } from 'node:timers/promises';
import { S3Error } from '../../s3/s3-error.ts';
import { BackendBusyError, CredentialsRefusedError } from './backend-errors.ts';
import { TransportError } from './transport.ts';

const firstDelayMs = 50;
const longestDelayMs = 5000;

/** What decides whether a failed attempt may be repeated. */
export interface Repeatability {
  /** Doing it twice is the same as doing it once, also where the first answer was lost. */
  readonly idempotent: boolean;
  /** The body, if there is one, can be given again from its first byte. */
  readonly replayable: boolean;
}

/** Whether another attempt is safe and has a chance. */
export function mayRepeat(error: unknown, { idempotent, replayable }: Repeatability): boolean {
  if (!replayable) return false;
  if (error instanceof TransportError) return idempotent || !error.sent;
  if (!(error instanceof S3Error)) return false;
  // S3 says these two before it has done anything.
  if (error.code === 'SlowDown' || error.code === 'RequestTimeout') return true;
  return idempotent && isPassing(error);
}

/** Server-side trouble that may be over at the next attempt. */
function isPassing(error: S3Error): boolean {
  if (error instanceof CredentialsRefusedError) return false;
  return error.code === 'ServiceUnavailable' || error.status === 500;
}

/** Exponential with full jitter; longer where the backend asked for it. `attempt` counts from 1. */
export function delayBefore(attempt: number, error: unknown, random: () => number): number {
  const ceilingMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (attempt - 1));
  const jitteredMs = Math.round(ceilingMs * random());
  const askedMs = error instanceof BackendBusyError ? error.backendDelayMs : 0;
  return Math.min(longestDelayMs, Math.max(jitteredMs, askedMs));
}

/** Waits; rejects with the signal's reason. */
export async function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleepFor(delayMs, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
