import { s3Error } from './s3-error.ts';
import { element, parseXml, s3Namespace, xmlDocument, type XmlElement } from './xml.ts';

/** One tag of an object or a bucket. */
export interface Tag {
  readonly key: string;
  readonly value: string;
}

/** S3's limits ("Categorizing your objects using tags"): tags, and UTF-16 units of a key and a value. */
const maxTags = { Object: 10, Bucket: 50 } as const;
const maxKeyLength = 128;
const maxValueLength = 256;
const allowedCharacters = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/**
 * The tags of an `x-amz-tagging` header, which has the form of a query string.
 * @throws S3Error InvalidArgument (malformed, a key given twice), InvalidTag, BadRequest (too many).
 */
export function parseTaggingHeader(header: string): readonly Tag[] {
  const tags = header.split('&').flatMap((pair) => (pair === '' ? [] : [parsePair(pair)]));
  if (new Set(tags.map(({ key }) => key)).size < tags.length) throw malformedHeader();
  checkTags(tags, 'Object');
  return tags;
}

/** The header of some tags. */
export function renderTaggingHeader(tags: readonly Tag[]): string {
  return tags.map(({ key, value }) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join('&');
}

function parsePair(pair: string): Tag {
  const equals = pair.indexOf('=');
  const [key, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
  try {
    return { key: decodeFormText(key), value: decodeFormText(value) };
  } catch (cause) {
    throw malformedHeader(cause);
  }
}

function decodeFormText(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}

function malformedHeader(cause?: unknown): Error {
  return s3Error(
    'InvalidArgument',
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
    { cause, details: { ArgumentName: 'x-amz-tagging' } },
  );
}

/**
 * The tags of a `Tagging` document.
 * @throws S3Error MalformedXML, InvalidTag, BadRequest (too many).
 */
export function parseTaggingDocument(document: Uint8Array, of: keyof typeof maxTags): readonly Tag[] {
  const root = parseXml(document, { maxBytes: 256 * 1024, maxDepth: 4 });
  const sets = root.children('TagSet');
  const [set] = sets;
  if (root.name !== 'Tagging' || set === undefined || sets.length > 1) throw s3Error('MalformedXML');
  return tagsIn(set, of);
}

/**
 * The tags that an element holds.
 * @throws S3Error MalformedXML, InvalidTag, BadRequest (too many).
 */
export function tagsIn(set: XmlElement, of: keyof typeof maxTags): readonly Tag[] {
  const tags = set.children().map((tag) => {
    const [key, value] = [tag.textOf('Key'), tag.textOf('Value')];
    if (tag.name !== 'Tag' || key === undefined || value === undefined) throw s3Error('MalformedXML');
    return { key, value };
  });
  if (new Set(tags.map(({ key }) => key)).size < tags.length) {
    throw s3Error('InvalidTag', 'Cannot provide multiple Tags with the same key');
  }
  checkTags(tags, of);
  return tags;
}

/** A `Tagging` document. */
export function renderTaggingDocument(tags: readonly Tag[]): string {
  const set = tags.map(({ key, value }) => element('Tag', [element('Key', key), element('Value', value)]));
  return xmlDocument('Tagging', s3Namespace, [element('TagSet', set)]);
}

function checkTags(tags: readonly Tag[], of: keyof typeof maxTags): void {
  if (tags.length > maxTags[of]) {
    const message = {
      Object: 'Object tags cannot be greater than 10',
      Bucket: 'Bucket tag count cannot be greater than 50',
    };
    throw s3Error('BadRequest', message[of]);
  }
  for (const { key, value } of tags) {
    if (key === '' || key.length > maxKeyLength || !allowedCharacters.test(key)) {
      throw s3Error('InvalidTag', 'The TagKey you have provided is invalid');
    }
    if (value.length > maxValueLength || !allowedCharacters.test(value)) {
      throw s3Error('InvalidTag', 'The TagValue you have provided is invalid');
    }
    if (key.startsWith('aws:')) {
      throw s3Error('InvalidTag', 'System tags cannot be added/updated by requester');
    }
  }
}
