/** An element of a parsed document. */
export interface Xml {
  readonly name: string;
  readonly text: string;
  readonly children: readonly Xml[];
}

interface Open {
  readonly name: string;
  text: string;
  readonly children: Xml[];
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function decode(text: string): string {
  return text.replaceAll(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (_, hex?: string, decimal?: string, name?: string) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    const found = entities[name ?? ''];
    if (found === undefined) throw new Error(`unknown entity ${name}`);
    return found;
  });
}

/** Parses what S3 answers: elements and text; throws for anything else and for tags that do not match. */
export function parseXml(document: string): Xml {
  const root: Open = { name: '', text: '', children: [] };
  const stack = [root];
  let rest = document.replace(/^<\?xml version="1\.[01]" encoding="UTF-8"\?>\s*/, '');
  while (rest !== '') {
    const top = stack.at(-1);
    if (top === undefined) throw new Error('text behind the document');
    const [piece, close, name, empty] = /^<(\/?)([A-Za-z0-9]+)(?: xmlns="[^"<]*")?(\/?)>|^[^<]+/.exec(rest) ?? [];
    if (piece === undefined) throw new Error(`not XML: ${rest.slice(0, 80)}`);
    rest = rest.slice(piece.length);
    if (name === undefined) top.text += decode(piece);
    else if (close === '/') closeElement(stack, name);
    else if (empty === '/') top.children.push({ name, text: '', children: [] });
    else stack.push({ name, text: '', children: [] });
  }
  const [only] = root.children;
  if (stack.length !== 1 || only === undefined || root.children.length > 1) throw new Error('not one whole document');
  return only;
}

function closeElement(stack: Open[], name: string): void {
  const element = stack.pop();
  if (element?.name !== name) throw new Error(`<${element?.name}> is closed by </${name}>`);
  stack.at(-1)?.children.push(element);
}

/** All children of a name. */
export function all(element: Xml, name: string): readonly Xml[] {
  return element.children.filter((child) => child.name === name);
}

/** Text of the only child of a name; undefined where there is none. */
export function textOf(element: Xml, name: string): string | undefined {
  const [first, second] = all(element, name);
  if (second !== undefined) throw new Error(`<${name}> is there twice`);
  return first?.text;
}

/** Escapes text for a document that a test sends; control characters become references. */
export function escapeXml(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what this is about
  return text.replaceAll(/[<>&"'\u0000-\u001f\u007f]/g, (character) => `&#${character.codePointAt(0)};`);
}
