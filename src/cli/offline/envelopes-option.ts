import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { Option } from 'commander';

import type { Envelope } from '../../envelope/envelope.ts';
import { EnvelopeError } from '../../envelope/envelope-error.ts';
import { decodeRecord, isOfSameObject, unwrapBeside } from '../../envelope/envelope-record.ts';
import type { ObjectSecrets } from '../../envelope/object-secrets.ts';
import { KeyError } from '../../keys/key-provider.ts';
import { printable } from '../cli-io.ts';
import { UsageError } from '../exit-code.ts';
import type { ObjectPlace } from '../../envelope/wrapped-dek.ts';
import type { ObjectKeys } from './offline-keys.ts';
import { readSmallFile } from './small-file.ts';
import { listTree } from './tree.ts';

/** `--envelope FILE` */
export function envelopeOption(): Option {
  return new Option(
    '--envelope <file>',
    'Envelope that a rewrap left beside an old version (from .s3eg/envelopes/), or a directory of them: each object takes ' +
      'its own in place of the one in its metadata.',
  );
}

/** Keys of objects by the envelopes beside them, as `readEnvelopes` gives them, and for those that have none by their own. */
export class KeysBeside implements ObjectKeys {
  readonly #keys: ObjectKeys;
  /** By commitment: versions that are copies of each other share theirs. */
  readonly #envelopes: ReadonlyMap<string, readonly Envelope[]>;

  constructor(keys: ObjectKeys, envelopes: ReadonlyMap<string, readonly Envelope[]>) {
    this.#keys = keys;
    this.#envelopes = envelopes;
  }

  /** @throws as `OfflineKeys`; EnvelopeError for an envelope that was altered. */
  async unwrap(own: Envelope, place: ObjectPlace): Promise<ObjectSecrets> {
    const fitting = (this.#envelopes.get(nameOf(own)) ?? []).filter((envelope) => isOfSameObject(own, envelope));
    let failure: unknown;
    for (const envelope of fitting) {
      try {
        return await unwrapBeside(own, envelope, (beside) => this.#keys.unwrap(beside, place));
      } catch (error) {
        failure = error;
      }
    }
    // A recovery key that this one is not for may be that of the object's own.
    if (failure !== undefined && !isNotFound(failure)) throw failure;
    return await this.#keys.unwrap(own, place);
  }
}

/**
 * The envelopes in a file, or in all files below a directory.
 * @throws UsageError for a file that is no such envelope; the system's error.
 */
export async function readEnvelopes(path: string, cwd: string): Promise<ReadonlyMap<string, readonly Envelope[]>> {
  const root = resolve(cwd, path);
  const isDirectory = (await stat(root)).isDirectory();
  const files = isDirectory ? (await listTree(root)).map((file) => join(root, file.path)) : [root];
  const envelopes = new Map<string, Envelope[]>();
  for (const file of files) {
    const envelope = await readEnvelope(file);
    const name = nameOf(envelope);
    envelopes.set(name, [...(envelopes.get(name) ?? []), envelope]);
  }
  return envelopes;
}

function isNotFound(error: unknown): boolean {
  return error instanceof KeyError && error.code === 'not_found';
}

function nameOf({ commitment }: Envelope): string {
  return Buffer.from(commitment).toString('hex');
}

async function readEnvelope(file: string): Promise<Envelope> {
  try {
    return decodeRecord(await readSmallFile(file)).envelope;
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error;
    throw new UsageError(`${printable(file)} is no envelope of a rewrap: ${error.message}`);
  }
}
