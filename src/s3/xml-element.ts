/** Bounds of one document; whatever passes one of them is refused. */
export interface XmlLimits {
  /** Bytes of the encoded document (UTF-16 units where it comes as a string). */
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly maxElements: number;
  /** UTF-16 units of text directly in one element. */
  readonly maxTextLength: number;
}

/** One element of a parsed document. Namespaces and attributes are dropped: S3's documents carry nothing in them. */
export class XmlElement {
  /** Local name, without prefix. */
  readonly name: string;
  #children: XmlElement[] | undefined;
  #text = '';

  constructor(name: string) {
    this.name = name;
  }

  /** The character data directly in this element, CDATA included, exactly as written. */
  text(): string {
    return this.#text;
  }

  /** The first child of that name. */
  child(name: string): XmlElement | undefined {
    return this.#children?.find((candidate) => candidate.name === name);
  }

  /** All children of that name, or all children, in document order. */
  children(name?: string): XmlElement[] {
    const all = this.#children ?? [];
    return name === undefined ? [...all] : all.filter((candidate) => candidate.name === name);
  }

  /** Text of the first child of that name; undefined where there is no such child, '' where it is empty. */
  textOf(name: string): string | undefined {
    return this.child(name)?.text();
  }

  /** For the parser. */
  append(part: XmlElement | string): void {
    if (typeof part === 'string') this.#text += part;
    else (this.#children ??= []).push(part);
  }
}

/**
 * Is given each child of the root when it is complete, and says whether it has read it: the tree then goes without it. A
 * listing's thousand entries need not be there all at once.
 */
export type TakeChild = (child: XmlElement) => boolean;
