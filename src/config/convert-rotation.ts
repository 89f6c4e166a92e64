import { messageOf } from '../base/message-of.ts';
import { RecoveryPublicKey } from '../keys/recovery-key.ts';
import { loadPem, type ConvertContext } from './convert.ts';
import type { ConfigFile } from './schema.ts';
import type { Settings } from './settings.ts';

/** A key's own schedule, else that of all keys. */
export function rotationSchedules(
  { rotation, keys }: ConfigFile,
  names: Iterable<string>,
): ReadonlyMap<string, string> {
  const schedules = new Map<string, string>();
  for (const name of names) {
    const schedule = keys?.[name]?.rotation?.schedule ?? rotation.schedule;
    if (schedule !== undefined) schedules.set(name, schedule);
  }
  return schedules;
}

/** The public recovery key, read and tried. */
export async function convertRecovery(
  { recovery }: ConfigFile,
  context: ConvertContext,
): Promise<Pick<Settings, 'recoveryPublicKey'>> {
  if (recovery === undefined) return {};
  const path = ['recovery', 'publicKeyFile'];
  const recoveryPublicKey = await loadPem(recovery.publicKeyFile, path, context);
  if (recoveryPublicKey === '') return {};
  try {
    RecoveryPublicKey.ofPem(recoveryPublicKey);
  } catch (error) {
    context.report(path, messageOf(error));
  }
  return { recoveryPublicKey };
}
