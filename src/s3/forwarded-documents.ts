import { s3Error } from './s3-error.ts';
import { parseTaggingDocument } from './tagging.ts';
import { parseXml } from './xml.ts';

/** Longest document of a forwarded request: a lifecycle configuration of 1 000 rules fits several times. */
export const maxForwardedBytes = 4 * 1024 * 1024;

/**
 * What is checked of a document before it is passed on: S3's limits of tags, so that every backend answers alike, and that
 * nothing asks the backend to read ciphertext. All else is for the backend to judge.
 * @throws S3Error InvalidTag, BadRequest, MalformedXML, NotImplemented.
 */
export function checkForwardedDocument(operation: string, document: Uint8Array): void {
  switch (operation) {
    case 'PutObjectTagging':
      parseTaggingDocument(document, 'Object');
      return;
    case 'PutBucketTagging':
      parseTaggingDocument(document, 'Bucket');
      return;
    case 'RestoreObject':
      checkRestore(document);
      return;
    default:
  }
}

/** A restore may be a query over the object's content. */
function checkRestore(document: Uint8Array): void {
  const root = parseXml(document, { maxBytes: 256 * 1024 });
  if (root.child('SelectParameters') === undefined && root.textOf('Type') === undefined) return;
  throw s3Error(
    'NotImplemented',
    'RestoreObject with a query is not implemented: the backend cannot query ciphertext.',
  );
}
