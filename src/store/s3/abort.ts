/** The promise, or a rejection with the signal's reason as soon as that is aborted. */
export async function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return await promise;
  // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the reason is the caller's, whatever it is
  if (signal.aborted) return await Promise.race([promise, Promise.reject(signal.reason)]);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
