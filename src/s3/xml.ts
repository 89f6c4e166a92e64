import { SaxesParser } from 'saxes';

import { parsePlainXml } from './plain-xml.ts';
import { s3Error, type S3Error } from './s3-error.ts';
import { XmlElement, type XmlLimits } from './xml-element.ts';

export { XmlElement, type XmlLimits } from './xml-element.ts';

/**
 * Room for the largest documents of the S3 API: a listing of 1 000 keys of 1 024 control characters, each written as a
 * six-character reference, and a CompleteMultipartUpload of 10 000 parts with checksums.
 */
export const defaultXmlLimits: XmlLimits = {
  maxBytes: 16 * 1024 * 1024,
  maxDepth: 16,
  maxElements: 200_000,
  maxTextLength: 64 * 1024,
};

/**
 * Parses a whole document. DOCTYPE, other encodings than UTF-8, and anything not well-formed or over a limit is refused;
 * references to control characters, which XML 1.0 forbids and S3 sends, pass. U+0000 exists in no version of XML.
 * @throws S3Error MalformedXML, or MaxMessageLengthExceeded for a document that is too long.
 */
export function parseXml(source: string | Uint8Array, limits: Partial<XmlLimits> = {}): XmlElement {
  const bounds = { ...defaultXmlLimits, ...limits };
  if (source.length > bounds.maxBytes) throw s3Error('MaxMessageLengthExceeded');
  const text = decode(source);
  return parsePlainXml(text, bounds, () => false) ?? parseAnyXml(text, bounds);
}

/**
 * Parses a document as `parseXml` does, and reads the children of the root that are called `name` one by one: where it can,
 * without having all of them in memory at once. They may stand in the root too, or not.
 * @throws S3Error MalformedXML, MaxMessageLengthExceeded; whatever `readEntry` throws.
 */
export function parseXmlEntries<Entry>(
  source: string | Uint8Array,
  name: string,
  readEntry: (element: XmlElement) => Entry,
): { readonly root: XmlElement; readonly entries: readonly Entry[] } {
  if (source.length > defaultXmlLimits.maxBytes) throw s3Error('MaxMessageLengthExceeded');
  const text = decode(source);
  const entries: Entry[] = [];
  const plain = parsePlainXml(text, defaultXmlLimits, (child) => {
    if (child.name !== name) return false;
    entries.push(readEntry(child));
    return true;
  });
  if (plain !== undefined) return { root: plain, entries };
  const root = parseAnyXml(text, defaultXmlLimits);
  return { root, entries: root.children(name).map(readEntry) };
}

function parseAnyXml(text: string, bounds: XmlLimits): XmlElement {
  const builder = new TreeBuilder(bounds);
  // XML 1.1 because S3 writes control characters as references, which 1.0 forbids (`forceXMLVersion`: whatever the
  // declaration says). Positions would be kept for messages only.
  const parser = new SaxesParser({ defaultXMLVersion: '1.1', forceXMLVersion: true, position: false });
  parser.on('error', (error) => {
    throw malformed(error.message, error);
  });
  parser.on('doctype', () => {
    throw malformed('a document type declaration is not allowed');
  });
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding !== undefined && !/^(utf-?8|us-ascii|ascii)$/i.test(encoding)) {
      throw malformed(`encoding ${encoding} is not supported`);
    }
  });
  parser.on('opentag', (tag) => builder.open(tag.name));
  parser.on('closetag', () => builder.close());
  parser.on('text', (text) => builder.text(text));
  parser.on('cdata', (text) => builder.text(text));
  parser.write(keepLineSeparators(text)).close();
  return builder.root();
}

class TreeBuilder {
  readonly #limits: XmlLimits;
  readonly #open: XmlElement[] = [];
  #root: XmlElement | undefined;
  #elements = 0;

  constructor(limits: XmlLimits) {
    this.#limits = limits;
  }

  open(qualifiedName: string): void {
    this.#elements += 1;
    if (this.#elements > this.#limits.maxElements) throw malformed('too many elements');
    if (this.#open.length >= this.#limits.maxDepth) throw malformed('elements are nested too deeply');
    const element = new XmlElement(qualifiedName.slice(qualifiedName.indexOf(':') + 1));
    this.#open.at(-1)?.append(element);
    this.#root ??= element;
    this.#open.push(element);
  }

  close(): void {
    this.#open.pop();
  }

  text(text: string): void {
    const element = this.#open.at(-1);
    if (element === undefined) return; // White space around the root; anything else there is an error of its own.
    if (element.text().length + text.length > this.#limits.maxTextLength) throw malformed('an element is too long');
    element.append(text);
  }

  root(): XmlElement {
    if (this.#root === undefined) throw malformed('there is no root element');
    return this.#root;
  }
}

function decode(source: string | Uint8Array): string {
  if (typeof source === 'string') return source;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(source);
  } catch (cause) {
    throw malformed('the document is not UTF-8', cause);
  }
}

/** Ordinary in XML 1.0, but in 1.1 either line ends (turned into U+000A) or forbidden outside references. */
const changedByXml11 = /[\u007f-\u009f\u2028]/;
const everyChangedByXml11 = new RegExp(changedByXml11, 'g');

/** Senders write XML 1.0: characters that mean something else in 1.1 become references, so that keys stay intact. */
function keepLineSeparators(text: string): string {
  if (!changedByXml11.test(text)) return text;
  const pieces: string[] = [];
  let position = 0;
  while (position < text.length) {
    const start = text.indexOf('<![CDATA[', position);
    const end = start < 0 ? -1 : text.indexOf(']]>', start);
    if (end < 0) break;
    pieces.push(
      text.slice(position, start).replace(everyChangedByXml11, reference),
      // A reference means nothing inside CDATA: leave the section for it.
      text.slice(start, end).replace(everyChangedByXml11, (character) => `]]>${reference(character)}<![CDATA[`),
    );
    position = end;
  }
  pieces.push(text.slice(position).replace(everyChangedByXml11, reference));
  return pieces.join('');
}

function reference(character: string): string {
  return `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`;
}

function malformed(reason: string, cause?: unknown): S3Error {
  return s3Error('MalformedXML', undefined, { cause: cause ?? new Error(reason) });
}

/** Written XML: made by `element` only, so that nothing goes out unescaped. */
export class XmlNode {
  readonly xml: string;

  constructor(xml: string) {
    this.xml = xml;
  }
}

/** What an element may hold; undefined leaves the element out altogether, '' writes it empty. */
export type XmlContent = string | number | boolean | readonly XmlNode[] | undefined;

/** One element with escaped text or with children. `name` comes from the program, never from a request. */
export function element(name: string, content: XmlContent): XmlNode {
  return new XmlNode(content === undefined ? '' : tagged(name, '', content));
}

/** A whole document with its declaration, as S3 writes it. */
export function xmlDocument(root: string, xmlns: string | undefined, content: XmlContent): string {
  const namespace = xmlns === undefined ? '' : ` xmlns="${escapeXml(xmlns)}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${tagged(root, namespace, content ?? '')}`;
}

/** The namespace of every document of the S3 API but errors. */
export const s3Namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';

function tagged(name: string, attributes: string, content: Exclude<XmlContent, undefined>): string {
  const inner = typeof content === 'object' ? content.map((node) => node.xml).join('') : escapeXml(String(content));
  return inner === '' ? `<${name}${attributes}/>` : `<${name}${attributes}>${inner}</${name}>`;
}

// Control characters go out as references, as S3 sends them, also where XML 1.0 has no such reference; so do tab and
// line ends, which parsers may normalise, and what XML 1.1 takes for a line end.
// oxlint-disable-next-line no-control-regex
const special = /[&<>"\u0000-\u001f\u007f-\u009f\u2028\ufffe\uffff]/g;
const named = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
]);

/** What most texts are made of: nothing in it is escaped, or nothing but quotes, as in ETags. */
const nothingToEscape = /^[ !#-%'-;=?-~]*$/;
const onlyQuotesToEscape = /^[ -%'-;=?-~]*$/;

/** Escapes text for use between tags and in quoted attributes. Lone surrogates become U+FFFD. */
export function escapeXml(text: string): string {
  if (nothingToEscape.test(text)) return text;
  if (onlyQuotesToEscape.test(text)) return text.replaceAll('"', '&quot;');
  return text.toWellFormed().replace(special, (character) => named.get(character) ?? reference(character));
}
