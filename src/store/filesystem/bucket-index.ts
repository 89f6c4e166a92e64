import { s3Error } from '../../s3/s3-error.ts';
import { integer, text, type Database, type Statement } from './database.ts';

export interface BucketRow {
  readonly id: number;
  readonly name: string;
  readonly location: string;
  readonly createdMs: number;
}

/** The buckets in the index. */
export class BucketIndex {
  readonly #select: Statement;
  readonly #selectAll: Statement;
  readonly #insert: Statement;
  readonly #delete: Statement;
  readonly #deleteDocuments: Statement;
  readonly #document: Statement;
  readonly #putDocument: Statement;
  readonly #deleteDocument: Statement;

  constructor(database: Database) {
    this.#select = database.prepare('SELECT * FROM bucket WHERE name = ?');
    this.#selectAll = database.prepare('SELECT * FROM bucket ORDER BY name');
    this.#insert = database.prepare('INSERT INTO bucket (name, location, created_ms) VALUES (?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM bucket WHERE id = ?');
    this.#deleteDocuments = database.prepare('DELETE FROM bucket_document WHERE bucket_id = ?');
    this.#document = database.prepare('SELECT document FROM bucket_document WHERE bucket_id = ? AND name = ?');
    this.#putDocument = database.prepare(
      'INSERT OR REPLACE INTO bucket_document (bucket_id, name, document) VALUES (?, ?, ?)',
    );
    this.#deleteDocument = database.prepare('DELETE FROM bucket_document WHERE bucket_id = ? AND name = ?');
  }

  /** @throws S3Error NoSuchBucket. */
  require(name: string): BucketRow {
    const bucket = this.find(name);
    if (bucket === undefined) throw s3Error('NoSuchBucket', undefined, { details: { BucketName: name } });
    return bucket;
  }

  find(name: string): BucketRow | undefined {
    const row = this.#select.get(name);
    return row === undefined ? undefined : bucketRow(row);
  }

  all(): BucketRow[] {
    return this.#selectAll.all().map(bucketRow);
  }

  insert(name: string, location: string): void {
    this.#insert.run(name, location, Date.now());
  }

  /** With its documents. */
  delete(id: number): void {
    this.#deleteDocuments.run(id);
    this.#delete.run(id);
  }

  /** A sub-resource of a bucket as it was put; undefined where there is none. */
  document(id: number, name: string): string | undefined {
    const row = this.#document.get(id, name);
    return row === undefined ? undefined : text(row, 'document');
  }

  putDocument(id: number, name: string, document: string): void {
    this.#putDocument.run(id, name, document);
  }

  deleteDocument(id: number, name: string): void {
    this.#deleteDocument.run(id, name);
  }
}

function bucketRow(row: Parameters<typeof text>[0]): BucketRow {
  return {
    id: integer(row, 'id'),
    name: text(row, 'name'),
    location: text(row, 'location'),
    createdMs: integer(row, 'created_ms'),
  };
}
