import { blob, integer, optionalText, text, type Database, type Row, type Statement } from './database.ts';
import type { FileUse } from './file-ledger.ts';
import type { WalkStart } from './roll-up.ts';

/** What a listing shows of an object. */
export interface ObjectEntry {
  readonly key: Buffer;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

export interface ObjectRow extends ObjectEntry {
  /** Never used again for another object. */
  readonly id: number;
  readonly headers: string;
  /** The content; undefined where extents list several files. */
  readonly file: string | undefined;
}

/** An object to be; `file` is undefined where the caller adds extents. */
export interface NewObject {
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly etag: string;
  readonly sizeBytes: number;
  readonly headers: string;
  readonly file: string | undefined;
}

export interface Extent {
  readonly file: string;
  /** Position in the object of the file's first byte. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** The objects in the index. Methods that change something are called within a transaction. */
export class ObjectIndex {
  readonly #files: FileUse;
  readonly #select: Statement;
  readonly #insert: Statement;
  readonly #delete: Statement;
  readonly #restate: Statement;
  readonly #setHeaders: Statement;
  readonly #walk: Statement;
  readonly #any: Statement;
  readonly #insertExtent: Statement;
  readonly #extents: Statement;

  constructor(database: Database, files: FileUse) {
    this.#files = files;
    this.#select = database.prepare('SELECT * FROM object WHERE bucket_id = ? AND key = ?');
    this.#insert = database.prepare(
      `INSERT INTO object (bucket_id, key, etag, size_bytes, modified_ms, headers, file) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#delete = database.prepare('DELETE FROM object WHERE id = ?');
    this.#restate = database.prepare('UPDATE object SET headers = ?, etag = ?, modified_ms = ? WHERE id = ?');
    this.#setHeaders = database.prepare('UPDATE object SET headers = ? WHERE id = ?');
    this.#walk = database.prepare(
      `SELECT key, etag, size_bytes, modified_ms FROM object
       WHERE bucket_id = ? AND key >= ? AND key < ? ORDER BY key`,
    );
    this.#any = database.prepare('SELECT 1 FROM object WHERE bucket_id = ? LIMIT 1');
    this.#insertExtent = database.prepare(
      'INSERT INTO extent (object_id, offset_bytes, size_bytes, file) VALUES (?, ?, ?, ?)',
    );
    this.#extents = database.prepare(
      `SELECT offset_bytes, size_bytes, file FROM extent WHERE object_id = ?1 AND offset_bytes < ?3 AND offset_bytes >=
         coalesce((SELECT max(offset_bytes) FROM extent WHERE object_id = ?1 AND offset_bytes <= ?2), 0)
       ORDER BY offset_bytes`,
    );
  }

  find(bucketId: number, key: Uint8Array): ObjectRow | undefined {
    const row = this.#select.get(bucketId, key);
    if (row === undefined) return undefined;
    return {
      ...objectEntry(row),
      id: integer(row, 'id'),
      headers: text(row, 'headers'),
      file: optionalText(row, 'file'),
    };
  }

  /** Puts an object in the place of `old`; answers the new one's id. */
  replace(old: ObjectRow | undefined, object: NewObject): number {
    if (old !== undefined) this.remove(old);
    const { bucketId, key, etag, sizeBytes, headers, file } = object;
    return this.#insert.run(bucketId, key, etag, sizeBytes, Date.now(), headers, file ?? null).rowId;
  }

  /** Makes a new state of an object whose content stays; answers its time in milliseconds since the epoch. */
  restate(objectId: number, { etag, headers }: { readonly etag: string; readonly headers: string }): number {
    const modifiedMs = Date.now();
    this.#restate.run(headers, etag, modifiedMs, objectId);
    return modifiedMs;
  }

  /** Changes what is stored beside the content, which stays the same: so do ETag and time. */
  setHeaders(objectId: number, headers: string): void {
    this.#setHeaders.run(headers, objectId);
  }

  addExtent(objectId: number, { offsetBytes, sizeBytes, file }: Extent): void {
    this.#insertExtent.run(objectId, offsetBytes, sizeBytes, file);
  }

  /** Takes an object out; its files are doomed. */
  remove(object: ObjectRow): void {
    if (object.file === undefined) this.#files.doomExtents(object.id);
    else this.#files.doom(object.file);
    this.#delete.run(object.id);
  }

  /** Whether a bucket holds anything. */
  hasAny(bucketId: number): boolean {
    return this.#any.get(bucketId) !== undefined;
  }

  /** The files that hold the bytes from `firstByte` to before `endByte`; none when the object is gone. */
  extents(objectId: number, firstByte: number, endByte: number): Extent[] {
    return this.#extents.all(objectId, firstByte, endByte).map((row) => ({
      file: text(row, 'file'),
      offsetBytes: integer(row, 'offset_bytes'),
      sizeBytes: integer(row, 'size_bytes'),
    }));
  }

  /** Objects in byte order of their keys, lazily. */
  *walk(bucketId: number, start: WalkStart, end: Uint8Array): Generator<ObjectEntry> {
    for (const row of this.#walk.iterate(bucketId, start.key, end)) yield objectEntry(row);
  }
}

function objectEntry(row: Row): ObjectEntry {
  return {
    key: blob(row, 'key'),
    etag: text(row, 'etag'),
    sizeBytes: integer(row, 'size_bytes'),
    modifiedMs: integer(row, 'modified_ms'),
  };
}
