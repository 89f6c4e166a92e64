import { Option } from 'commander';

import type { Settings } from '../../config/settings.ts';
import type { KeyProvider } from '../../keys/key-provider.ts';
import { leftAt, takeUpsOf } from '../../keys/take-up.ts';
import { printable } from '../cli-io.ts';

/** `--now`. */
export function nowOption(): Option {
  return new Option(
    '--now',
    'Also within the seconds after a rotation in which gateways may still write under the version: what they write is not readable then.',
  );
}

/**
 * Refuses a version that running gateways may still write under; where nobody tells when the rotation was, it passes.
 * @throws Error that says how long to wait.
 */
export async function mustBeTakenUp(
  provider: KeyProvider,
  version: string,
  { dataKeyCache }: Pick<Settings, 'dataKeyCache'>,
): Promise<void> {
  const takeUp = (await takeUpsOf(provider, dataKeyCache)).get(version);
  const leftMs = takeUp === undefined ? 0 : (leftAt(takeUp, Date.now()) ?? 0);
  if (leftMs === 0) return;
  throw new Error(
    `gateways may still write under version ${printable(version)}: wait ${Math.ceil(leftMs / 1000)} s, look with s3eg rewrap ` +
      'whether anything is under it, and come again; or give --now',
  );
}
