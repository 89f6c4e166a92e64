import { defaultXmlLimits } from '../../s3/xml.ts';
import type { ResponseBody } from './response-body.ts';

/** A whole XML answer; white space that keeps a slow answer's connection alive is cut off. */
export async function collectDocument(body: ResponseBody): Promise<Buffer> {
  const document = await body.collect(defaultXmlLimits.maxBytes);
  let start = 0;
  while (isSpace(document[start])) start++;
  return document.subarray(start);
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
