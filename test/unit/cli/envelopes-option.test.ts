import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';

import { UsageError } from '../../../src/cli/exit-code.ts';
import { KeysBeside, readEnvelopes } from '../../../src/cli/offline/envelopes-option.ts';
import { parseMetadata } from '../../../src/cli/offline/metadata-document.ts';
import type { ObjectKeys } from '../../../src/cli/offline/offline-keys.ts';
import { encodeEnvelope, envelopeHeader, sealEnvelope, type Envelope } from '../../../src/envelope/envelope.ts';
import { encodeRecord } from '../../../src/envelope/envelope-record.ts';
import type { ObjectSecrets } from '../../../src/envelope/object-secrets.ts';
import { KeyError } from '../../../src/keys/key-provider.ts';
import { payload, single } from '../envelope/envelope-support.ts';

const place = { bucket: 'b-test', key: 'k' };

/** An object under version 1, and the envelope under version 2 that a rewrap leaves beside it. */
function rewrapped(seed: string) {
  const { secrets, envelope } = single(3);
  const { sealedMetadata: _sealed, ...fields } = envelope;
  const metadata = { metadataDigest: payload(32, seed), checksums: [], payloadBytes: 3 };
  const of = (kekVersion: string): Envelope => sealEnvelope({ ...fields, kekVersion }, metadata, secrets);
  return { secrets, own: of('1'), beside: of('2') };
}

/** Opens version 2 alone. */
function keysOf(secrets: ObjectSecrets): ObjectKeys & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    unwrap({ kekVersion }) {
      asked.push(kekVersion);
      if (kekVersion === '2') return Promise.resolve(secrets.clone());
      return Promise.reject(new KeyError('not_found', 'there is no version 1'));
    },
  };
}

async function folderOf(t: TestContext, envelopes: readonly Envelope[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 's3eg-envelopes-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [index, envelope] of envelopes.entries()) {
    await writeFile(join(folder, `${index}.json`), encodeRecord({ key: place.key, versionId: `${index}`, envelope }));
  }
  return folder;
}

describe('envelopes beside objects, offline', () => {
  it('each object takes its own, out of one file or many; others do without', async (t) => {
    const [one, two] = [rewrapped('one'), rewrapped('two')];
    const folder = await folderOf(t, [two.beside, one.beside]);
    for (const path of [folder, join(folder, '1.json')]) {
      const inner = keysOf(one.secrets);
      using secrets = await new KeysBeside(inner, await readEnvelopes(path, '/')).unwrap(one.own, place);
      assert.deepEqual(Buffer.from(secrets.dek.bytes), Buffer.from(one.secrets.dek.bytes));
      assert.deepEqual(inner.asked, ['2']);
    }
    const without = new KeysBeside(keysOf(one.secrets), await readEnvelopes(join(folder, '0.json'), '/'));
    await assert.rejects(without.unwrap(one.own, place), { code: 'not_found' });
  });

  it('one that was altered opens nothing, though it names the object', async (t) => {
    const { secrets, own, beside } = rewrapped('one');
    const sealedMetadata = Buffer.from(beside.sealedMetadata);
    sealedMetadata.writeUInt8(sealedMetadata.readUInt8(20) ^ 1, 20);
    const folder = await folderOf(t, [{ ...beside, sealedMetadata }]);
    const keys = new KeysBeside(keysOf(secrets), await readEnvelopes(folder, '/'));
    await assert.rejects(keys.unwrap(own, place), { code: 'authentication_failed' });
  });

  it('a file that is none is a mistake of the command', async (t) => {
    const folder = await folderOf(t, []);
    await writeFile(join(folder, 'other.json'), '{}');
    await assert.rejects(readEnvelopes(folder, '/'), UsageError);
  });

  it('is understood as metadata, of which it says the envelope alone', () => {
    const { beside } = rewrapped('one');
    const metadata = parseMetadata(encodeRecord({ key: 'k', versionId: 'v', envelope: beside }));
    assert.deepEqual(metadata, { headers: { [envelopeHeader]: encodeEnvelope(beside) }, isComplete: false });
  });
});
