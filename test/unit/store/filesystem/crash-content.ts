/** What the writer that is killed and the test that looks afterwards agree on. */
export const crashBucket = 'crash-bucket';
export const crashKeys = 3;

export function keyOf(index: number): string {
  return `dir/key-${index}`;
}

/** Every version of every key has another length and other bytes. */
export function contentOf(index: number, version: number): Buffer {
  const line = `key ${index} version ${version} of the content that may not be torn\n`;
  return Buffer.alloc(60_000 + ((version * 7919 + index * 104_729) % 200_000), line);
}
