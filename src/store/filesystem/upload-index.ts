import { s3Error } from '../../s3/s3-error.ts';
import type { UploadAddress } from '../object-store.ts';
import { blob, integer, text, type Database, type Row, type Statement } from './database.ts';
import type { FileUse } from './file-ledger.ts';
import { keyBytes } from './names.ts';
import type { WalkStart } from './roll-up.ts';

export interface UploadEntry {
  readonly id: string;
  readonly key: Buffer;
  readonly initiatedMs: number;
}

export interface PartRow {
  readonly number: number;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly file: string;
}

export type NewPart = Omit<PartRow, 'modifiedMs'>;

/** Open uploads and their parts in the index. Methods that change something are called within a transaction. */
export class UploadIndex {
  readonly #files: FileUse;
  readonly #insert: Statement;
  readonly #select: Statement;
  readonly #delete: Statement;
  readonly #walk: Statement;
  readonly #ofBucket: Statement;
  readonly #selectPart: Statement;
  readonly #upsertPart: Statement;
  readonly #parts: Statement;
  readonly #dropPart: Statement;
  readonly #dropParts: Statement;

  constructor(database: Database, files: FileUse) {
    this.#files = files;
    this.#insert = database.prepare(
      'INSERT INTO upload (id, bucket_id, key, headers, initiated_ms) VALUES (?, ?, ?, ?, ?)',
    );
    this.#select = database.prepare('SELECT headers FROM upload WHERE id = ? AND bucket_id = ? AND key = ?');
    this.#delete = database.prepare('DELETE FROM upload WHERE id = ?');
    this.#walk = database.prepare(
      `SELECT id, key, initiated_ms FROM upload
       WHERE bucket_id = ? AND (key, id) > (?, ?) AND key < ? ORDER BY key, id`,
    );
    this.#ofBucket = database.prepare('SELECT id FROM upload WHERE bucket_id = ?');
    this.#selectPart = database.prepare('SELECT file FROM part WHERE upload_id = ? AND number = ?');
    this.#upsertPart = database.prepare(
      'INSERT OR REPLACE INTO part (upload_id, number, etag, size_bytes, modified_ms, file) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#parts = database.prepare('SELECT * FROM part WHERE upload_id = ? AND number > ? ORDER BY number LIMIT ?');
    this.#dropPart = database.prepare('DELETE FROM part WHERE upload_id = ? AND number = ?');
    this.#dropParts = database.prepare('DELETE FROM part WHERE upload_id = ?');
  }

  insert(id: string, bucketId: number, key: Uint8Array, headers: string): void {
    this.#insert.run(id, bucketId, key, headers, Date.now());
  }

  /**
   * The headers of an open upload, in stored form.
   * @throws S3Error NoSuchUpload; an upload is only found with its own bucket and key.
   */
  require(bucketId: number, address: UploadAddress): string {
    const row = this.#select.get(address.uploadId, bucketId, keyBytes(address.key));
    if (row === undefined) throw s3Error('NoSuchUpload', undefined, { details: { UploadId: address.uploadId } });
    return text(row, 'headers');
  }

  /** Enters a part; the file of a former one with its number is doomed. */
  putPart(uploadId: string, part: NewPart): void {
    const former = this.#selectPart.get(uploadId, part.number);
    if (former !== undefined) this.#files.doom(text(former, 'file'));
    this.#files.adopt(part.file);
    this.#upsertPart.run(uploadId, part.number, part.etag, part.sizeBytes, Date.now(), part.file);
  }

  /** Parts with numbers above `afterNumber`, in order, at most `limit`. */
  parts(uploadId: string, afterNumber: number, limit: number): PartRow[] {
    return this.#parts.all(uploadId, afterNumber, limit).map(partRow);
  }

  /** Gives the file of a part to somebody else. */
  takePart(uploadId: string, number: number): void {
    this.#dropPart.run(uploadId, number);
  }

  /** Takes an upload out; the files of the parts that it still has are doomed. */
  remove(uploadId: string): void {
    this.#files.doomParts(uploadId);
    this.#dropParts.run(uploadId);
    this.#delete.run(uploadId);
  }

  removeAllOf(bucketId: number): void {
    for (const row of this.#ofBucket.all(bucketId)) this.remove(text(row, 'id'));
  }

  /** Uploads in byte order of their keys, then in the order of their beginning, lazily. */
  *walk(bucketId: number, start: WalkStart, end: Uint8Array): Generator<UploadEntry> {
    for (const row of this.#walk.iterate(bucketId, start.key, start.id, end)) {
      yield { id: text(row, 'id'), key: blob(row, 'key'), initiatedMs: integer(row, 'initiated_ms') };
    }
  }
}

function partRow(row: Row): PartRow {
  return {
    number: integer(row, 'number'),
    etag: text(row, 'etag'),
    sizeBytes: integer(row, 'size_bytes'),
    modifiedMs: integer(row, 'modified_ms'),
    file: text(row, 'file'),
  };
}
