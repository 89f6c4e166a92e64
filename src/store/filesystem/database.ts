import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { asStoreFault, StoreOpenError } from './faults.ts';

/** One row as SQLite gives it. */
export type Row = Record<string, SQLOutputValue>;

/** Layout of the index; a store written by a newer layout is refused, not guessed at. */
const schemaVersion = 1;

/** Longest wait for another process or thread that is writing. Transactions here take milliseconds. */
const busyTimeoutMs = 10_000;

const schema = `
  CREATE TABLE bucket (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, location TEXT NOT NULL, created_ms INTEGER NOT NULL
  ) STRICT;
  -- Sub-resources of buckets (CORS rules, tags) as the client wrote them.
  CREATE TABLE bucket_document (
    bucket_id INTEGER NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (bucket_id, name)
  ) STRICT, WITHOUT ROWID;
  -- Keys are blobs: SQLite compares them by memcmp, which is the order of S3. Rows have a rowid so that the index that
  -- listings walk stays narrow. "file" holds the content, or is NULL where "extent" lists several files.
  CREATE TABLE object (
    id INTEGER PRIMARY KEY AUTOINCREMENT, bucket_id INTEGER NOT NULL, key BLOB NOT NULL, etag TEXT NOT NULL,
    size_bytes INTEGER NOT NULL, modified_ms INTEGER NOT NULL, headers TEXT NOT NULL, file TEXT,
    UNIQUE (bucket_id, key)
  ) STRICT;
  CREATE TABLE extent (
    object_id INTEGER NOT NULL, offset_bytes INTEGER NOT NULL, size_bytes INTEGER NOT NULL, file TEXT NOT NULL,
    PRIMARY KEY (object_id, offset_bytes)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE upload (
    id TEXT PRIMARY KEY, bucket_id INTEGER NOT NULL, key BLOB NOT NULL, headers TEXT NOT NULL,
    initiated_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX upload_by_key ON upload (bucket_id, key, id);
  CREATE TABLE part (
    upload_id TEXT NOT NULL, number INTEGER NOT NULL, etag TEXT NOT NULL, size_bytes INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL, file TEXT NOT NULL, PRIMARY KEY (upload_id, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE instance (id TEXT PRIMARY KEY, started_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  -- Files that no object and no part refers to: being written, waiting for their last reader, or to be removed.
  CREATE TABLE loose_file (
    file TEXT PRIMARY KEY, instance TEXT NOT NULL, object_id INTEGER,
    state TEXT NOT NULL CHECK (state IN ('writing', 'held', 'doomed'))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX loose_doomed ON loose_file (file) WHERE state = 'doomed';
  CREATE INDEX loose_held ON loose_file (object_id) WHERE state = 'held';
  -- Objects of several files that an instance is reading.
  CREATE TABLE pin (
    object_id INTEGER NOT NULL, instance TEXT NOT NULL, readers INTEGER NOT NULL, PRIMARY KEY (object_id, instance)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * One connection to the index. `full`: a commit is on the disk when it returns; `normal`: it survives the death of the
 * process and is in order with other commits, but the last ones may be lost with the machine.
 */
export class Database {
  readonly #connection: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;

  constructor(path: string, durability: 'full' | 'normal') {
    this.#connection = new DatabaseSync(path, { timeout: busyTimeoutMs });
    this.#connection.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability.toUpperCase()};`);
    this.#begin = this.#connection.prepare('BEGIN IMMEDIATE');
    this.#commit = this.#connection.prepare('COMMIT');
    this.#rollback = this.#connection.prepare('ROLLBACK');
  }

  /**
   * Makes the tables where they are missing.
   * @throws S3Error whose cause is a StoreOpenError where a newer release made them.
   */
  migrate(): void {
    this.transaction(() => {
      const version = integer(this.#connection.prepare('PRAGMA user_version').get() ?? {}, 'user_version');
      if (version > schemaVersion) {
        const message = `the store was written by a newer release (index layout ${version}, known ${schemaVersion})`;
        throw new StoreOpenError('newer_layout', message);
      }
      if (version === 0) this.#connection.exec(`${schema} PRAGMA user_version = ${schemaVersion};`);
    });
  }

  prepare(sql: string): Statement {
    return new Statement(this.#connection.prepare(sql));
  }

  /**
   * Runs `work` as one transaction: nothing of it stays when it throws. S3Errors pass; what SQLite throws becomes one.
   * Only short, synchronous work: the event loop and every other writer wait.
   */
  transaction<T>(work: () => T): T {
    try {
      this.#begin.run();
      try {
        const result = work();
        this.#commit.run();
        return result;
      } catch (error) {
        if (this.#connection.isTransaction) this.#rollback.run();
        throw error;
      }
    } catch (error) {
      throw asStoreFault(error);
    }
  }

  /** Runs `work` that only reads. */
  read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw asStoreFault(error);
    }
  }

  close(): void {
    this.#connection.close();
  }
}

/** A prepared statement; the caller names the columns it wants by `text`, `integer`, `blob`. */
export class Statement {
  readonly #statement: StatementSync;

  constructor(statement: StatementSync) {
    this.#statement = statement;
  }

  get(...values: SQLInputValue[]): Row | undefined {
    return this.#statement.get(...values);
  }

  all(...values: SQLInputValue[]): Row[] {
    return this.#statement.all(...values);
  }

  /** Steps through the rows one by one; leaving the loop early costs nothing more. */
  iterate(...values: SQLInputValue[]): Iterable<Row> {
    return this.#statement.iterate(...values);
  }

  /** Answers how many rows changed, and the rowid of an insert. */
  run(...values: SQLInputValue[]): { readonly changes: number; readonly rowId: number } {
    const { changes, lastInsertRowid } = this.#statement.run(...values);
    return { changes: Number(changes), rowId: Number(lastInsertRowid) };
  }
}

/** A text column. */
export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`column ${column} of the index is not a text`);
  return value;
}

/** A text column that may be NULL. */
export function optionalText(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : text(row, column);
}

/** An integer column. */
export function integer(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw new TypeError(`column ${column} of the index is not an integer`);
  return value;
}

/** A blob column. */
export function blob(row: Row, column: string): Buffer {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw new TypeError(`column ${column} of the index is not a blob`);
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
