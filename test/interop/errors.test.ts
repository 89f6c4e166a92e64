/**
 * Each error that a client can provoke: the same request to MinIO and to the gateway, which answers with the same status
 * and code, or with S3's where MinIO has others; each such row says why.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { startBackend, startServer, type BackendName } from './support/backends.ts';
import { headerRows, presignedRows } from './support/errors/auth-rows.ts';
import { integrityRows, writeRows } from './support/errors/body-rows.ts';
import { copyRows, partCopyRows } from './support/errors/copy-rows.ts';
import { departures, type Departure } from './support/errors/departures.ts';
import { formRows } from './support/errors/form-rows.ts';
import { multipartRows } from './support/errors/multipart-rows.ts';
import { bucketRows, keyRows, versionRows } from './support/errors/name-rows.ts';
import { listingRows, readRows } from './support/errors/read-rows.ts';
import type { ErrorRow } from './support/errors/row.ts';
import { Stage, type Answer } from './support/errors/stage.ts';
import { configurationRows, deleteRows, methodRows, taggingRows } from './support/errors/sub-resource-rows.ts';
import { Gateway } from './support/gateway.ts';
import { ownWorkspace } from './support/site.ts';

const groups: Readonly<Record<string, readonly ErrorRow[]>> = {
  'signature in the header': headerRows,
  'presigned URL': presignedRows,
  bucket: bucketRows,
  key: keyRows,
  version: versionRows,
  body: integrityRows,
  write: writeRows,
  multipart: multipartRows,
  read: readRows,
  listing: listingRows,
  tags: taggingRows,
  configuration: configurationRows,
  'delete objects': deleteRows,
  method: methodRows,
  copy: copyRows,
  'part copy': partCopyRows,
  form: formRows,
};

describe('errors', () => {
  const workspace = ownWorkspace();
  const stages: { readonly backend: BackendName; readonly stage: Stage }[] = [];
  let direct: Stage;

  before(async () => {
    const minio = await startServer('minio', workspace);
    direct = new Stage('direct', minio.access);
    await direct.set({ hasVersions: true });
    for (const backend of [minio, await startBackend('embedded', workspace)]) {
      const gateway = await Gateway.start({ workspace, backend });
      const stage = new Stage('gateway', gateway.access);
      await stage.set({ hasVersions: backend.name === 'minio' });
      stages.push({ backend: backend.name, stage });
    }
  });

  for (const [group, rows] of Object.entries(groups)) {
    for (const row of rows) {
      const name = `${group}: ${row.name}`;
      test(name, async () => await compare(row, departuresByRow.get(name)));
    }
  }

  test('every departure is of a row', (context) => {
    const names = Object.entries(groups).flatMap(([group, rows]) => rows.map(({ name }) => `${group}: ${name}`));
    assert.equal(new Set(names).size, names.length, 'a name stands twice');
    assert.deepEqual(new Set(departuresByRow.keys()).difference(new Set(names)), new Set());
    const count = (who: Departure['who']): number => [...departuresByRow.values()].filter((d) => d.who === who).length;
    context.diagnostic(
      `${names.length} requests: ${names.length - departuresByRow.size} answered as by MinIO, ${count('s3')} as by S3 ` +
        `where MinIO is not, ${count('embedded')} so by the embedded store only, ${count('gateway')} by the gateway's own rule`,
    );
  });

  async function compare(row: ErrorRow, departure: Departure | undefined): Promise<void> {
    const { outcome: minio } = await ask(direct, row);
    const told: Record<string, string> = {};
    const wanted: Record<string, string> = {};
    for (const { backend, stage } of stages) {
      if (row.needsVersions === true && backend !== 'minio') continue;
      const answer = await ask(stage, row);
      told[backend] = answer.outcome;
      const departs = departure !== undefined && (departure.who !== 'embedded' || backend === 'embedded');
      wanted[backend] = departs ? departure.answer : minio;
      assertDocument(answer);
    }
    assert.deepEqual(told, wanted, `MinIO itself: ${minio}`);
    assert.notEqual(departure?.answer, minio, 'MinIO is said to answer otherwise, and does not');
  }
});

const departuresByRow = new Map(
  departures.flatMap((departure) => departure.rows.map((row) => [row, departure] as const)),
);

async function ask(stage: Stage, { call }: ErrorRow): Promise<Answer> {
  return await stage.ask(typeof call === 'function' ? call(stage) : call);
}

/** An error tells what S3's own tells: message, resource and the id under which the request is found in the log. */
function assertDocument({ response, outcome }: Answer): void {
  if (!outcome.includes(' ')) return;
  const field = (name: string): string => new RegExp(`<${name}>([^<]+)</${name}>`).exec(response.text)?.[1] ?? '';
  assert.match(response.text, /^<\?xml version="1\.0" encoding="UTF-8"\?>\s*<Error>/);
  assert.equal(response.headers['content-type'], 'application/xml');
  assert.notEqual(field('Message'), '');
  assert.match(field('Resource'), /^\//);
  assert.equal(field('RequestId'), response.headers['x-amz-request-id']);
}
