import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** What `x-amz-meta-s3eg-key` says of each object of a bucket of the embedded store below `directory`, by key. */
export function keyLabels(directory: string, bucket: string): Readonly<Record<string, string>> {
  const database = new DatabaseSync(join(directory, 'objects', 'index.sqlite'), { readOnly: true });
  try {
    const rows = database
      .prepare('SELECT key, headers FROM object JOIN bucket ON bucket.id = bucket_id WHERE name = ?')
      .all(bucket);
    const labels = rows.map(({ key, headers }): [string, string] => {
      const stored: Readonly<Record<string, string>> = JSON.parse(String(headers));
      return [
        key instanceof Uint8Array ? Buffer.from(key).toString() : String(key),
        stored['x-amz-meta-s3eg-key'] ?? '',
      ];
    });
    return Object.fromEntries(labels.filter(([key]) => !key.startsWith('.s3eg/')));
  } finally {
    database.close();
  }
}
