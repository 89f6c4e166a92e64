import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';

import * as fc from 'fast-check';

import { AwsChunkedDecoder, type ChunkedBody } from '../../../src/s3/aws-chunked.ts';
import { S3Error } from '../../../src/s3/s3-error.ts';
import { signRequest } from '../../../src/s3/sigv4-sign.ts';
import { encodeChunked, exampleSigning, inPieces } from './chunked-support.ts';
import { exampleCredentials, exampleTime } from './sigv4-support.ts';

const signing = exampleSigning('0'.repeat(64));
const trailer = { name: 'x-amz-checksum-crc32c', value: 'sOO8/Q==' };

function decode(body: ChunkedBody, pieces: readonly Uint8Array[]): { plaintext: Buffer; trailer: string | undefined } {
  const decoder = new AwsChunkedDecoder(body);
  const plaintext = Buffer.concat(pieces.flatMap((piece) => decoder.push(piece)));
  return { plaintext, trailer: decoder.end() };
}

function decodeText(text: string, body: Partial<ChunkedBody> = {}): string {
  const all = { decodedBytes: 5, signing: undefined, trailerName: undefined, ...body };
  return decode(all, [Buffer.from(text)]).plaintext.toString();
}

function refused(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof S3Error, String(error));
    assert.equal(error.code, code);
    return true;
  };
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html */
describe('aws-chunked: the examples that AWS publishes', () => {
  const data = Buffer.alloc(66_560, 'a');
  const chunks = [data.subarray(0, 65_536), data.subarray(65_536)];
  const seed = '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9';
  const seedWithTrailer = '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e';

  it('the seed signature', () => {
    const { authorization } = signRequest({
      method: 'PUT',
      rawPath: '/examplebucket/chunkObject.txt',
      query: '',
      headers: {
        host: 's3.amazonaws.com',
        'content-encoding': 'aws-chunked',
        'content-length': '66824',
        'x-amz-decoded-content-length': '66560',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      },
      payloadHash: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      credentials: exampleCredentials,
      region: 'us-east-1',
      now: exampleTime,
    });
    assert.match(authorization ?? '', new RegExp(`Signature=${seed}$`));
  });

  it('the chunks', () => {
    const { bytes, signatures } = encodeChunked({ chunks, signing: exampleSigning(seed) });
    assert.deepEqual(signatures, [
      'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
      '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
      'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
    ]);
    assert.equal(bytes.length, 66_824);
    const body = { decodedBytes: 66_560, signing: exampleSigning(seed), trailerName: undefined };
    assert.deepEqual(decode(body, [bytes]), { plaintext: data, trailer: undefined });
  });

  it('the chunks and a trailer', () => {
    const { bytes, signatures } = encodeChunked({ chunks, signing: exampleSigning(seedWithTrailer), trailer });
    assert.deepEqual(signatures, [
      'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
      '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
      '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
      'd81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435',
    ]);
    const body = { decodedBytes: 66_560, signing: exampleSigning(seedWithTrailer), trailerName: trailer.name };
    assert.deepEqual(decode(body, [bytes]), { plaintext: data, trailer: trailer.value });
  });
});

describe('aws-chunked: any chunks in any pieces', () => {
  const chunkSizes = [[], [1], [1, 1], [2, 7, 1], [8192], [8192, 3], [65_536, 1], [65_535, 65_537]];
  for (const sizes of chunkSizes) {
    for (const isSigned of [false, true]) {
      for (const hasTrailer of [false, true]) {
        it(`chunks of ${sizes.join(', ') || 'nothing'}, signed ${isSigned}, trailer ${hasTrailer}`, () => {
          const chunks = sizes.map((size, index) =>
            createHash('shake256', { outputLength: size }).update(`${index}`).digest(),
          );
          const { bytes } = encodeChunked({
            chunks,
            ...(isSigned ? { signing } : {}),
            ...(hasTrailer ? { trailer } : {}),
          });
          const plaintext = Buffer.concat(chunks);
          const body = {
            decodedBytes: plaintext.length,
            signing: isSigned ? signing : undefined,
            trailerName: hasTrailer ? trailer.name : undefined,
          };
          for (const size of [1, 2, 7, 4096, 65_536, 1 << 20]) {
            const decoded = decode(body, inPieces(bytes, size));
            assert.ok(decoded.plaintext.equals(plaintext), `pieces of ${size}`);
            assert.equal(decoded.trailer, hasTrailer ? trailer.value : undefined);
          }
        });
      }
    }
  }

  it('never takes a body with a byte changed, signed', () => {
    const chunks = [Buffer.from('hello'), Buffer.from(' world')];
    const { bytes } = encodeChunked({ chunks, signing, trailer });
    const body = { decodedBytes: 11, signing, trailerName: trailer.name };
    for (let index = 0; index < bytes.length; index++) {
      for (const mask of [0x01, 0x80]) {
        const broken = Buffer.from(bytes);
        broken[index] = (broken[index] ?? 0) ^ mask;
        assert.throws(() => decode(body, [broken]), S3Error, `byte ${index} XOR ${mask}`);
      }
    }
  });

  it('never takes a body cut short', () => {
    for (const options of [{}, { signing }, { trailer }, { signing, trailer }]) {
      const { bytes } = encodeChunked({ chunks: [Buffer.from('hello')], ...options });
      const body = {
        decodedBytes: 5,
        signing: undefined,
        trailerName: 'trailer' in options ? trailer.name : undefined,
        ...options,
      };
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decode(body, [bytes.subarray(0, length)]), refused('IncompleteBody'), `${length} bytes`);
      }
    }
  });

  it('hands out views, and joins tiny chunks', () => {
    const large = encodeChunked({ chunks: [Buffer.alloc(8192, 1), Buffer.alloc(8192, 2)] }).bytes;
    const pieces = new AwsChunkedDecoder({ decodedBytes: 16_384, signing: undefined, trailerName: undefined }).push(
      large,
    );
    assert.deepEqual(
      pieces.map((piece) => [piece.buffer === large.buffer, piece.length]),
      [
        [true, 8192],
        [true, 8192],
      ],
    );
    const tiny = encodeChunked({ chunks: inPieces(Buffer.alloc(1000, 3), 1) }).bytes;
    const joined = new AwsChunkedDecoder({ decodedBytes: 1000, signing: undefined, trailerName: undefined }).push(tiny);
    assert.deepEqual(
      joined.map((piece) => piece.length),
      [1000],
    );
  });
});

describe('aws-chunked: what clients write', () => {
  it('upper-case and padded sizes, an empty extension', () => {
    assert.equal(decodeText(`A\r\n0123456789\r\n0\r\n\r\n`, { decodedBytes: 10 }), '0123456789');
    assert.equal(decodeText('00005;\r\nhello\r\n0;\r\n\r\n'), 'hello');
  });

  it('trailers that end in LF, CRLF or both, with blank lines and spaces', () => {
    const body = { trailerName: 'x-amz-checksum-crc32' };
    for (const end of ['\r\n\r\n', '\n\r\n\r\n', '\n\r\n', '\n\n']) {
      assert.equal(decodeText(`5\r\nhello\r\n0\r\nX-Amz-Checksum-CRC32: NhCmhg==${end}`, body), 'hello');
    }
  });

  it('a signed trailer with a blank line before its signature', () => {
    const { bytes } = encodeChunked({ chunks: [Buffer.from('hello')], signing, trailer });
    const text = bytes.toString('latin1').replace(`${trailer.value}\r\n`, `${trailer.value}\n\r\n`);
    assert.equal(decodeText(text, { signing, trailerName: trailer.name }), 'hello');
  });

  it('nothing at all for an object of no bytes', () => {
    assert.equal(decodeText('', { decodedBytes: 0 }), '');
    assert.equal(decodeText('', { decodedBytes: 0, signing }), '');
    assert.throws(() => decodeText('', { decodedBytes: 0, trailerName: trailer.name }), refused('IncompleteBody'));
    assert.throws(() => decodeText('', { decodedBytes: 1 }), refused('IncompleteBody'));
  });
});

describe('aws-chunked: refusals', () => {
  const signature = 'a'.repeat(64);
  const cases: readonly {
    readonly name: string;
    readonly text: string;
    readonly code: string;
    readonly body?: Partial<ChunkedBody>;
  }[] = [
    { name: 'no size', text: '\r\nhello\r\n', code: 'InvalidChunkSizeError' },
    { name: 'a size that is no hex', text: '5g\r\nhello', code: 'InvalidChunkSizeError' },
    { name: 'a negative size', text: '-5\r\nhello', code: 'InvalidChunkSizeError' },
    { name: 'a size with 0x', text: '0x5\r\nhello', code: 'InvalidChunkSizeError' },
    { name: 'a size with a space', text: ' 5\r\nhello', code: 'InvalidChunkSizeError' },
    { name: 'a size line that ends in LF', text: '5\nhello\r\n0\r\n\r\n', code: 'InvalidChunkSizeError' },
    { name: 'a size of 17 digits', text: '00000000000000005\r\nhello', code: 'InvalidChunkSizeError' },
    { name: 'an endless size line', text: '0'.repeat(200), code: 'InvalidChunkSizeError' },
    { name: 'an unknown extension', text: '5;x=1\r\nhello\r\n0\r\n\r\n', code: 'InvalidChunkSizeError' },
    {
      name: 'a signature where none is due',
      text: `5;chunk-signature=${signature}\r\nhello`,
      code: 'InvalidChunkSizeError',
    },
    {
      name: 'no signature where one is due',
      text: '5\r\nhello\r\n0\r\n\r\n',
      code: 'InvalidChunkSizeError',
      body: { signing },
    },
    {
      name: 'a wrong signature',
      text: `5;chunk-signature=${signature}\r\nhello`,
      code: 'SignatureDoesNotMatch',
      body: { signing },
    },
    {
      name: 'a wrong signature of the last chunk',
      text: `0;chunk-signature=${signature}\r\n\r\n`,
      code: 'SignatureDoesNotMatch',
      body: { signing, decodedBytes: 0 },
    },
    {
      name: 'data longer than its chunk',
      text: '4\r\nhello\r\n0\r\n\r\n',
      code: 'InvalidChunkSizeError',
      body: { decodedBytes: 4 },
    },
    {
      name: 'data shorter than its chunk',
      text: '6\r\nhello\r\n0\r\n\r\n',
      code: 'InvalidChunkSizeError',
      body: { decodedBytes: 6 },
    },
    { name: 'more than declared', text: '6\r\nhello!\r\n0\r\n\r\n', code: 'IncompleteBody' },
    { name: 'a size beyond all numbers', text: 'ffffffffffffffff\r\n', code: 'IncompleteBody' },
    { name: 'less than declared', text: '4\r\nhell\r\n0\r\n\r\n', code: 'IncompleteBody' },
    { name: 'bytes after the last chunk', text: '5\r\nhello\r\n0\r\n\r\nx\r\n\r\n', code: 'MalformedTrailerError' },
    {
      name: 'a chunk after the last chunk',
      text: '5\r\nhello\r\n0\r\n\r\n1\r\nx\r\n0\r\n\r\n',
      code: 'MalformedTrailerError',
    },
    {
      name: 'a trailer that was not announced',
      text: '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n',
      code: 'MalformedTrailerError',
    },
    {
      name: 'a trailer signature that is not due',
      text: '5\r\nhello\r\n0\r\nx-amz-trailer-signature:a\r\n\r\n',
      code: 'MalformedTrailerError',
    },
    {
      name: 'another trailer than announced',
      text: '5\r\nhello\r\n0\r\nx-amz-checksum-sha1:a\r\n\r\n',
      code: 'MalformedTrailerError',
      body: { trailerName: 'x-amz-checksum-crc32' },
    },
    {
      name: 'no trailer where one was announced',
      text: '5\r\nhello\r\n0\r\n\r\n',
      code: 'MalformedTrailerError',
      body: { trailerName: 'x-amz-checksum-crc32' },
    },
    {
      name: 'a trailer given twice',
      text: '5\r\nhello\r\n0\r\nx-a:1\r\nx-a:1\r\n\r\n',
      code: 'MalformedTrailerError',
      body: { trailerName: 'x-a' },
    },
    {
      name: 'a trailer without a colon',
      text: '5\r\nhello\r\n0\r\nx-a\r\n\r\n',
      code: 'MalformedTrailerError',
      body: { trailerName: 'x-a' },
    },
    {
      name: 'an endless trailer',
      text: `5\r\nhello\r\n0\r\nx-a:${'1'.repeat(5000)}`,
      code: 'MalformedTrailerError',
      body: { trailerName: 'x-a' },
    },
    { name: 'endless blank lines', text: `5\r\nhello\r\n0\r\n${'\r\n'.repeat(3000)}`, code: 'MalformedTrailerError' },
  ];
  for (const { name, text, code, body } of cases) {
    it(`${name}: ${code}`, () => {
      const all = { decodedBytes: 5, signing: undefined, trailerName: undefined, ...body };
      for (const size of [1, 3, text.length]) {
        assert.throws(() => decode(all, inPieces(Buffer.from(text), size)), refused(code), `pieces of ${size}`);
      }
    });
  }

  it('chunks that are signed but changed places', () => {
    const chunks = [Buffer.from('aaaa'), Buffer.from('bbbb')];
    const text = encodeChunked({ chunks, signing }).bytes.toString('latin1');
    const [first = '', second = '', ...rest] = text.split(/(?<=(?:aaaa|bbbb)\r\n)/);
    assert.throws(
      () => decodeText([second, first, ...rest].join(''), { decodedBytes: 8, signing }),
      refused('SignatureDoesNotMatch'),
    );
  });

  it('a signed trailer without its signature, or with a wrong one', () => {
    const text = encodeChunked({ chunks: [Buffer.from('hello')], signing, trailer }).bytes.toString('latin1');
    const body = { signing, trailerName: trailer.name };
    assert.throws(
      () => decodeText(text.replace(/x-amz-trailer-signature:.*\r\n/, ''), body),
      refused('MalformedTrailerError'),
    );
    assert.throws(() => decodeText(text.replace('sOO8', 'sOO9'), body), refused('SignatureDoesNotMatch'));
  });

  it('any text at all ends in an S3Error or the declared bytes', () => {
    const part = fc.constantFrom('5\r\n', 'hello', '\r\n', '0\r\n', '\n', 'x-a:1', '0', 'f', ';', '\r');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), fc.boolean(), (parts, hasTrailer) => {
        const body = { trailerName: hasTrailer ? 'x-a' : undefined };
        try {
          assert.equal(decodeText(parts.join(''), body).length, 5);
        } catch (error) {
          if (!(error instanceof S3Error)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
