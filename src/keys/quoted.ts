const maxCharacters = 128;

/** A name that came with an object, for an error text: escaped, quoted, and cut to 128 characters. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > maxCharacters ? `${name.slice(0, maxCharacters)}…` : name);
}
