import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { FlowBudget } from '../../base/flow-budget.ts';
import { evaluateConditions, type CurrentObject } from '../../s3/conditions.ts';
import { s3Error } from '../../s3/s3-error.ts';
import type { Conditions } from '../object-store.ts';
import { BucketIndex } from './bucket-index.ts';
import { DataFiles } from './data-files.ts';
import { Database } from './database.ts';
import { FileLedger, FileUse } from './file-ledger.ts';
import { Instance } from './instances.ts';
import { ObjectIndex, type ObjectRow } from './object-index.ts';
import { UploadIndex } from './upload-index.ts';

const indexFile = 'index.sqlite';

/** Everything that the operations of one open store work with. */
export interface StoreParts {
  /** Its commits are on the disk when they return. */
  readonly database: Database;
  readonly buckets: BucketIndex;
  readonly objects: ObjectIndex;
  readonly uploads: UploadIndex;
  readonly files: FileUse;
  readonly ledger: FileLedger;
  readonly dataFiles: DataFiles;
  readonly budget: FlowBudget;
  readonly close: () => Promise<void>;
}

/** Opens the index under `root`, which must be a folder, and clears what dead instances left. */
export async function openParts(root: string, budget: FlowBudget): Promise<StoreParts> {
  const database = new Database(join(root, indexFile), 'full');
  let notes: Database | undefined;
  try {
    database.migrate();
    const instance = Instance.register(root, database);
    const notesOpen = new Database(join(root, indexFile), 'normal');
    notes = notesOpen;
    const ledger = new FileLedger(notesOpen, instance.id);
    const dataFiles = new DataFiles(root, ledger, budget);
    await dataFiles.sweep();
    await bringToDisk(root);
    const files = new FileUse(database, instance.id);
    const close = async (): Promise<void> => {
      await dataFiles.close();
      instance.close();
      notesOpen.close();
      database.close();
    };
    const buckets = new BucketIndex(database);
    const objects = new ObjectIndex(database, files);
    const uploads = new UploadIndex(database, files);
    return { database, buckets, objects, uploads, files, ledger, dataFiles, budget, close };
  } catch (error) {
    notes?.close();
    database.close();
    throw error;
  }
}

/** The names of the index and of the data folder must not be lost with the machine when what they hold is not. */
async function bringToDisk(root: string): Promise<void> {
  await mkdir(join(root, 'data'), { recursive: true, mode: 0o700 });
  const folder = await open(root, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Holds the conditions of a request against the object as it is within the caller's transaction.
 * @throws S3Error PreconditionFailed, NotModified (with the object's ETag and date), NoSuchKey.
 */
export function checkConditions(
  conditions: Conditions | undefined,
  row: ObjectRow | undefined,
  request: { readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'; readonly key: string },
): void {
  if (conditions === undefined) return;
  const current: CurrentObject | undefined = row && { etag: row.etag, lastModifiedMs: row.modifiedMs };
  const failure = evaluateConditions(conditions, current, request.method);
  if (failure === undefined) return;
  if (failure === 'NoSuchKey') throw noSuchKey(request.key);
  const headers = row === undefined ? {} : { etag: row.etag, 'last-modified': new Date(row.modifiedMs).toUTCString() };
  throw s3Error(failure, undefined, { headers });
}

/** The object is not there. */
export function noSuchKey(key: string): Error {
  return s3Error('NoSuchKey', undefined, { details: { Key: key } });
}

/** As `commitFiles`, for one file. */
export async function commitFile<T>(parts: StoreParts, file: string, work: () => T): Promise<T> {
  return await commitFiles(parts, [file], work);
}

/**
 * Runs the transaction that takes freshly written files into use. A refusal removes the files. After a fault of the
 * index they are left to the next start: whether the commit reached the disk is not known.
 */
export async function commitFiles<T>(parts: StoreParts, files: readonly string[], work: () => T): Promise<T> {
  let isDecided = false;
  try {
    return parts.database.transaction(() => {
      try {
        return work();
      } catch (error) {
        isDecided = true;
        throw error;
      }
    });
  } catch (error) {
    if (isDecided) for (const file of files) await parts.dataFiles.discard(file);
    throw error;
  }
}
