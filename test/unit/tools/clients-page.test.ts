import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const docs = join(import.meta.dirname, '../../../docs');

/** Rows of the page's table: client, version, link to where it is pinned. */
function rows(): readonly (readonly [client: string, version: string, pinnedIn: string])[] {
  const found = readFileSync(join(docs, 'clients.md'), 'utf8').matchAll(
    /^\| (?<client>[^|]+) \| (?<version>[^|]+) \| \[[^\]]+\]\((?<pinnedIn>[^)]+)\) \|/gm,
  );
  return [...found].map(({ groups }) => [
    groups?.['client'] ?? '',
    groups?.['version'] ?? '',
    groups?.['pinnedIn'] ?? '',
  ]);
}

test('each client has the version that it is pinned to', () => {
  const clients = rows();
  assert.ok(clients.length >= 12);
  for (const [client, version, pinnedIn] of clients) {
    const pin = version === 'Debian' ? `debian ${client.split(' ')[0] ?? ''}` : version;
    assert.ok(readFileSync(join(docs, pinnedIn), 'utf8').includes(pin), `${client}: no ${pin} in ${pinnedIn}`);
  }
});
