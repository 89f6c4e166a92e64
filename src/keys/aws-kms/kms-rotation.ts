/** What an administrator's credentials do with a key of AWS KMS: on-demand rotation, and switching an alias. */
import { setTimeout as sleep } from 'node:timers/promises';

import {
  GetKeyRotationStatusCommand,
  RotateKeyOnDemandCommand,
  UpdateAliasCommand,
  type KeyMetadata,
} from '@aws-sdk/client-kms';

import { isUnavailable } from '../key-errors.ts';
import { KeyError } from '../key-provider.ts';
import { materialOf, parseKeyArn, versionOfArn } from './key-arn.ts';
import { unusable } from './key-state.ts';
import type { KmsCalls } from './kms-calls.ts';

/** AWS KMS rotates in the background; less than the lease of a scheduled rotation. */
const longestWaitMs = 45_000;
const pollMs = 500;

interface KmsAdministration {
  readonly calls: KmsCalls;
  /** The key as it is configured. */
  readonly keyId: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Asks for new key material, once, and waits until it is current. Needs `kms:RotateKeyOnDemand` and `kms:GetKeyRotationStatus`.
 * @throws KeyError `misconfigured` for a key that cannot be rotated; `unavailable` while another rotation is in progress, and
 * where this one is not complete after 45 s.
 */
export async function rotateOnDemand({ calls, keyId, signal }: KmsAdministration): Promise<void> {
  const before = await calls.describeKey(keyId, signal);
  const reason = unrotatable(before);
  if (reason !== undefined) throw new KeyError('misconfigured', `key ${keyId} cannot be rotated: it ${reason}`);
  const { Arn: arn } = before;
  await mustNotBeRotating({ calls, keyId: arn, signal });
  await begin({ calls, keyId: arn, signal });
  const isDone = async (): Promise<boolean> =>
    (await calls.describeKey(arn, signal)).CurrentKeyMaterialId !== before.CurrentKeyMaterialId;
  if (await holdsInTime(isDone, signal)) return;
  throw new KeyError(
    'unavailable',
    `AWS KMS has begun to rotate key ${arn} and is not done yet: it goes on by itself. Do not rotate again; see later which ` +
      'version is current (s3eg keys list)',
  );
}

/** By a client that tries once: a key has 25 rotations, and one that did take place must not take place twice. */
async function begin({ calls, keyId, signal }: KmsAdministration): Promise<void> {
  const command = new RotateKeyOnDemandCommand({ KeyId: keyId });
  try {
    await calls.run({ what: 'rotate', keyId, signal, client: 'immediate' }, (kms, options) =>
      kms.send(command, options),
    );
  } catch (error) {
    if (!isUnavailable(error) || saysThatNothingWasDone(error.cause)) throw error;
    const message = `${error.message}; it may have begun: see which version is current (s3eg keys list) before you rotate again`;
    throw new KeyError('unavailable', message, { cause: error });
  }
}

function saysThatNothingWasDone(cause: unknown): boolean {
  return cause instanceof Error && /^(Conflict|Throttling)Exception$/.test(cause.name);
}

/** Of two requests one waits for nothing and is refused, instead of one rotation following the other. */
async function mustNotBeRotating({ calls, keyId, signal }: KmsAdministration): Promise<void> {
  const command = new GetKeyRotationStatusCommand({ KeyId: keyId });
  const { OnDemandRotationStartDate: begun } = await calls.run(
    { what: 'see the rotation of', keyId, signal, client: 'patient' },
    (kms, options) => kms.send(command, options),
  );
  if (begun === undefined) return;
  throw new KeyError(
    'unavailable',
    `a rotation of key ${keyId} is in progress since ${begun.toISOString()}: no other one was begun`,
  );
}

/** Why on-demand rotation cannot be had, as the end of a sentence; undefined where it can. */
function unrotatable(metadata: KeyMetadata): string | undefined {
  const { KeyManager: manager, CustomKeyStoreId: store, MultiRegionConfiguration: regions } = metadata;
  const state = unusable(metadata);
  if (state !== undefined) return state;
  if (manager === 'AWS') return 'is managed by AWS, which rotates it';
  if (store !== undefined) return `is in a custom key store: ${newKeyAdvice}`;
  if (regions?.MultiRegionKeyType === 'REPLICA') {
    return `is a replica of a multi-Region key: rotate the primary key, ${regions.PrimaryKey?.Arn ?? 'in its Region'}`;
  }
  if (materialOf(metadata.CurrentKeyMaterialId) === undefined) {
    return `has key material that the service gives no id for, so that no version could be told from the other: ${newKeyAdvice}`;
  }
  return undefined;
}

const newKeyAdvice = 'make a new key, and switch the alias to it (s3eg keys rotate --to)';

/**
 * Points the alias that is configured to another key, and waits until it is seen there. Needs `kms:UpdateAlias`.
 * @param previous keys of `previousKeyIds`, as `versionOfArn` writes them.
 * @throws KeyError `misconfigured` where there is no alias, where the present key is not in `previousKeyIds`, and for a key
 * that cannot be used.
 */
export async function switchAlias(
  { calls, keyId, signal }: KmsAdministration,
  { to, previous }: { readonly to: string; readonly previous: ReadonlySet<string> },
): Promise<void> {
  const alias = /(?:^|:)(alias\/.+)$/.exec(keyId)?.[1];
  if (alias === undefined) {
    throw new KeyError(
      'misconfigured',
      `keyId ${keyId} is no alias that could be switched: put it into previousKeyIds and the new key into keyId of every ` +
        'gateway, and start them again',
    );
  }
  const { Arn: present } = await calls.describeKey(keyId, signal);
  const target = await calls.describeKey(to, signal);
  const reason = present === target.Arn ? 'is what the alias means already' : unusable(target);
  if (reason !== undefined)
    throw new KeyError('misconfigured', `key ${to} cannot become the current one: it ${reason}`);
  if (!previous.has(versionOfArn(present))) {
    throw new KeyError(
      'misconfigured',
      `what is under the present key could not be read after the switch: put ${present} into previousKeyIds of every ` +
        'gateway, start them again, and then switch',
    );
  }
  mustBeNear(alias, keyId, target.Arn);
  const command = new UpdateAliasCommand({ AliasName: alias, TargetKeyId: target.Arn });
  await calls.run({ what: 'switch the alias to another key', keyId, signal, client: 'immediate' }, (kms, options) =>
    kms.send(command, options),
  );
  const isDone = async (): Promise<boolean> => (await calls.describeKey(keyId, signal)).Arn === target.Arn;
  if (await holdsInTime(isDone, signal)) return;
  throw new KeyError(
    'unavailable',
    `AWS KMS has switched ${alias} to ${target.Arn} and does not show it everywhere yet: see later which version is current`,
  );
}

/** UpdateAlias takes a name alone, and finds it in the account of the credentials: not where the ARN of an alias may point. */
function mustBeNear(alias: string, keyId: string, target: string): void {
  const place = keyId === alias ? undefined : keyId.slice(0, -alias.length);
  const { partition = '', region = '', account = '' } = parseKeyArn(target) ?? {};
  if (place === undefined || place === `arn:${partition}:kms:${region}:${account}:`) return;
  throw new KeyError('misconfigured', `key ${target} is not in the account and Region of ${keyId}`);
}

async function holdsInTime(holds: () => Promise<boolean>, signal: AbortSignal | undefined): Promise<boolean> {
  const endMs = performance.now() + longestWaitMs;
  for (;;) {
    if (await holds()) return true;
    if (performance.now() >= endMs) return false;
    await sleep(pollMs, undefined, signal === undefined ? {} : { signal });
  }
}
