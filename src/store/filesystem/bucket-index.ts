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

  constructor(database: Database) {
    this.#select = database.prepare('SELECT * FROM bucket WHERE name = ?');
    this.#selectAll = database.prepare('SELECT * FROM bucket ORDER BY name');
    this.#insert = database.prepare('INSERT INTO bucket (name, location, created_ms) VALUES (?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM bucket WHERE id = ?');
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

  delete(id: number): void {
    this.#delete.run(id);
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
