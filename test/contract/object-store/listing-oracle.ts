/** One entry of a listing: an object, or the common prefix that stands for several. */
export interface OracleEntry {
  readonly kind: 'key' | 'prefix';
  readonly text: string;
}

export interface OracleRequest {
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly after?: string;
}

function compareBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/**
 * The whole listing as the S3 API describes it, computed from all keys at once: group, sort, drop what is not after the
 * marker. "CommonPrefixes is filtered out from results if it is not lexicographically greater than" the marker.
 */
export function naiveListing(keys: readonly string[], request: OracleRequest): OracleEntry[] {
  const { prefix = '', delimiter = '', after = '' } = request;
  const entries = new Map<string, OracleEntry>();
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const rest = key.slice(prefix.length);
    const at = delimiter === '' ? -1 : rest.indexOf(delimiter);
    const text = at < 0 ? key : prefix + rest.slice(0, at + delimiter.length);
    const isKey = at < 0;
    if (after !== '' && compareBytes(text, after) <= 0) continue;
    entries.set(`${isKey ? 'k' : 'p'}${text}`, { kind: isKey ? 'key' : 'prefix', text });
  }
  return [...entries.values()].toSorted((left, right) => compareBytes(left.text, right.text));
}
