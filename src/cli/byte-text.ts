const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** A number of bytes for people: `512 bytes`, `1.5 MiB`. */
export function byteText(bytes: number): string {
  let value = bytes;
  let unit: (typeof units)[number] = 'bytes';
  for (const next of units.slice(1)) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  if (unit === 'bytes') return `${bytes} ${bytes === 1 ? 'byte' : unit}`;
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}
