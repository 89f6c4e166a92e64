import { createHash } from 'node:crypto';

import { readAll, streamOf } from '../base/streams.ts';
import type { SealedChecksum } from '../envelope/envelope.ts';
import type { DecodedPayload } from '../s3/payload.ts';
import { sealedChecksums, summed, withMd5 } from './checksums.ts';
import type { ContentChecksums, NewContent } from './put-object.ts';

/** Content up to this length is read before it is sent, so that its MD5 can stand in the envelope. */
const maxGatheredBytes = 128 * 1024;

type Content = Omit<NewContent, 'headers'> & ContentChecksums;

/** A body that is to be stored, with the checksums that the client gave. */
export function payloadContent(payload: DecodedPayload): Content {
  const { plaintext, plaintextBytes } = payload;
  return {
    plaintext,
    plaintextBytes,
    declaredChecksums: sealedChecksums(payload.declaredChecksums()),
    checksums: () => sealedChecksums(payload.checksums()),
  };
}

/**
 * The same with the MD5 of the plaintext. It is known before anything is sent where the client gave it or the body is
 * small: then HEAD finds it in the envelope, with no request for the index. Else it is computed while the body streams.
 */
export async function payloadContentWithMd5(payload: DecodedPayload): Promise<Content> {
  const { plaintextBytes } = payload;
  if (plaintextBytes <= maxGatheredBytes) return await gathered(payload);
  const content = payloadContent(payload);
  const given = payload.declaredMd5();
  if (given === undefined) {
    const { body, checksums } = summed(payload.plaintext, ['md5']);
    return { ...content, plaintext: body, checksums: () => withMd5(content.checksums(), checksums()[0]) };
  }
  const md5 = sealed(given);
  // A list in the envelope has to be whole: with a trailer to come, all of it goes into the index.
  const isWhole = content.declaredChecksums.length > 0 || payload.announcedChecksum() === undefined;
  return {
    ...content,
    declaredChecksums: isWhole ? withMd5(content.declaredChecksums, md5) : [],
    checksums: () => withMd5(content.checksums(), md5),
  };
}

async function gathered(payload: DecodedPayload): Promise<Content> {
  const { plaintextBytes } = payload;
  const bytes = await readAll(payload.plaintext, plaintextBytes, tooLong);
  const all = withMd5(sealedChecksums(payload.checksums()), sealed(createHash('md5').update(bytes).digest()));
  return { plaintext: streamOf(bytes), plaintextBytes, declaredChecksums: all, checksums: () => all };
}

function tooLong(): Error {
  return new RangeError('a body is longer than it was announced');
}

function sealed(value: Uint8Array): SealedChecksum {
  return { algorithm: 'md5', type: 'full-object', value };
}
