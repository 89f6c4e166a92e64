import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { readForm, type UploadForm } from '../../../src/s3/form-data.ts';
import { S3Error } from '../../../src/s3/s3-error.ts';

interface Encoded {
  readonly body: Buffer;
  readonly contentType: string;
}

/** A form as browsers write it. */
async function encode(entries: readonly (readonly [string, string | Uint8Array<ArrayBuffer>])[]): Promise<Encoded> {
  const form = new FormData();
  for (const [name, value] of entries) {
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, new File([value], 'a b.bin'));
  }
  const response = new Response(form);
  const contentType = response.headers.get('content-type') ?? '';
  return { body: Buffer.from(await response.arrayBuffer()), contentType };
}

// oxlint-disable-next-line require-await -- a stream that never waits
async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) yield bytes.subarray(offset, offset + pieceBytes);
}

async function contentOf(form: UploadForm): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of form.file) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function readWhole({ body, contentType }: Encoded, pieceBytes = 1000): Promise<Buffer> {
  return await contentOf(await readForm(inPieces(body, pieceBytes), contentType));
}

const content = Uint8Array.from({ length: 200_000 }, (_, index) => index % 251);
const malformed = { code: 'MalformedPOSTRequest', status: 400 };

describe('readForm', () => {
  for (const pieceBytes of [1, 7, 4096, 64 * 1024, 10_000_000]) {
    it(`gives fields and file of a form that comes in pieces of ${pieceBytes}`, async () => {
      const encoded = await encode([
        ['Key', 'a/${filename}'],
        ['x-amz-meta-ü', 'ä'],
        ['file', content],
        ['submit', 'Upload'],
      ]);
      const form = await readForm(inPieces(encoded.body, pieceBytes), encoded.contentType);
      assert.deepEqual(
        [...form.fields],
        [
          ['key', 'a/${filename}'],
          ['x-amz-meta-ü', 'ä'],
        ],
      );
      assert.equal(form.fileName, 'a b.bin');
      assert.ok(form.bytesRead >= encoded.body.indexOf(content));
      assert.deepEqual(await contentOf(form), Buffer.from(content));
    });
  }

  it('takes an empty file', async () => {
    assert.equal((await readWhole(await encode([['file', new Uint8Array(0)]]))).length, 0);
  });

  it('fails where the body is cut short, wherever that is', async () => {
    const encoded = await encode([
      ['key', 'k'],
      ['file', content],
    ]);
    for (const cut of [0, 10, 200, 250, 100_000, encoded.body.length - 10]) {
      await assert.rejects(readWhole({ ...encoded, body: encoded.body.subarray(0, cut) }), malformed, `cut at ${cut}`);
    }
  });

  it('passes on what the body fails with, also in mid-file', async () => {
    const encoded = await encode([['file', content]]);
    const failure = new Error('the client left');
    for (const after of [10, 150_000]) {
      const body = async function* (): AsyncGenerator<Uint8Array> {
        yield* inPieces(encoded.body.subarray(0, after), 1000);
        throw failure;
      };
      await assert.rejects(async () => contentOf(await readForm(body(), encoded.contentType)), failure);
    }
  });

  it('releases the body when the file is left', async () => {
    const encoded = await encode([['file', content]]);
    let isReleased = false;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* inPieces(encoded.body, 1000);
      } finally {
        isReleased = true;
      }
    };
    const form = await readForm(body(), encoded.contentType);
    for await (const _ of form.file) break;
    assert.ok(isReleased);
  });

  it('reads no more of the body than the file that is consumed', async () => {
    const encoded = await encode([['file', new Uint8Array(8 * 1024 * 1024)]]);
    let given = 0;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of inPieces(encoded.body, 16 * 1024)) {
        given += piece.length;
        yield piece;
      }
    };
    const form = await readForm(body(), encoded.contentType);
    const file = form.file[Symbol.asyncIterator]();
    await file.next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(given < 512 * 1024, `${given} bytes were taken though the first chunk was`);
    await file.return?.();
  });

  it('gives a file, an error of S3, and neither hangs nor ends the process, whatever comes', async () => {
    const form = [
      '--XX\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n',
      '--XX\r\nContent-Disposition: form-data; name="file"; filename="f"\r\nContent-Type: a/b\r\n\r\nhello\r\n--XX--\r\n',
    ].join('');
    const change = fc.record({ at: fc.nat(form.length - 1), byte: fc.nat(255) });
    const length = fc.oneof(fc.constant(form.length), fc.nat(form.length));
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { maxLength: 4 }),
        length,
        fc.integer({ min: 1, max: 60 }),
        async (changes, cut, pieceBytes) => {
          const body = Buffer.from(form);
          for (const { at, byte } of changes) body[at] = byte;
          const encoded = { body: body.subarray(0, cut), contentType: 'multipart/form-data; boundary=XX' };
          const outcome = await readWhole(encoded, pieceBytes).catch((error: unknown) => error);
          assert.ok(Buffer.isBuffer(outcome) || outcome instanceof S3Error, String(outcome));
        },
      ),
      { numRuns: 500, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
    );
  });

  it('refuses a field without a name', async () => {
    const body = Buffer.from('--XX\r\nContent-Disposition: form-data; x="key"\r\n\r\nk\r\n--XX--\r\n');
    await assert.rejects(readWhole({ body, contentType: 'multipart/form-data; boundary=XX' }), { status: 400 });
  });

  it('releases the body of a form whose file is not wanted', async () => {
    const encoded = await encode([['file', content]]);
    let isReleased = false;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* inPieces(encoded.body, 1000);
      } finally {
        isReleased = true;
      }
    };
    await (await readForm(body(), encoded.contentType)).discard();
    assert.ok(isReleased);
  });

  const refused: [string, Parameters<typeof encode>[0], string][] = [
    ['no file', [['key', 'k']], 'InvalidArgument'],
    [
      'two files',
      [
        ['file', content],
        ['file', content],
      ],
      'InvalidArgument',
    ],
    [
      'a field given twice',
      [
        ['key', 'a'],
        ['KEY', 'b'],
        ['file', content],
      ],
      'InvalidArgument',
    ],
    [
      'a field that is too long',
      [
        ['key', 'k'.repeat(21_000)],
        ['file', content],
      ],
      'MaxPostPreDataLengthExceededError',
    ],
    [
      'fields that are too long together',
      [...Array.from({ length: 30 }, (_, index) => [`f${index}`, 'x'.repeat(1000)] as const), ['file', content]],
      'MaxPostPreDataLengthExceededError',
    ],
  ];
  for (const [what, entries, code] of refused) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(readWhole(await encode(entries)), { code, status: 400 });
    });
  }

  for (const contentType of ['multipart/form-data', 'multipart/form-data; boundary=', 'text/plain']) {
    it(`refuses ${contentType}`, async () => {
      await assert.rejects(readForm(inPieces(Buffer.from('x'), 1), contentType), malformed);
    });
  }
});
