import { messageOf } from '../../base/message-of.ts';
import { KeyError } from '../key-provider.ts';
import type { VaultClient } from './vault-client.ts';

/** What the statuses of `sys/health` mean; 200 and 429 (a standby, which passes requests on) are fine. */
const states: ReadonlyMap<number, string> = new Map([
  [429, 'is a standby that reaches no active server'],
  [472, 'is a disaster recovery secondary, which serves no keys'],
  [473, 'is a performance standby that reaches no active server'],
  [501, 'is not initialised'],
  [503, 'is sealed: unseal it'],
]);

/**
 * Why a key cannot be used: what the server says of itself, where that explains it, else what the key's failure says.
 * Asked only after a failure, so a server that is well costs nothing.
 */
export async function explainFailure(
  client: VaultClient,
  address: string,
  { failure, signal }: { readonly failure: unknown; readonly signal: AbortSignal | undefined },
): Promise<string> {
  const said = messageOf(failure);
  // A server that does not answer has nothing to say of itself.
  const answered = failure instanceof KeyError && (failure.code !== 'unavailable' || failure.cause === undefined);
  if (!answered) return said;
  try {
    const { status } = await client.send(
      { method: 'GET', path: ['sys', 'health'], rootNamespace: true, retries: 0 },
      signal,
    );
    const state = states.get(status);
    return state === undefined || (status === 429 && failure.code !== 'unavailable')
      ? said
      : `Vault at ${address} ${state}`;
  } catch {
    return said;
  }
}
