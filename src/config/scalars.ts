import { isIP } from 'node:net';

import { z } from 'zod';

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  PiB: 2 ** 50,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  PB: 1e15,
};

function withUnit(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits, unit] = /^(\d{1,16}(?:\.\d{1,6})?) ?([A-Za-z]+)$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined || !Object.hasOwn(units, unit)) return undefined;
  const value = Number(digits) * (units[unit] ?? 0);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Milliseconds of a text like `5m`; undefined where it is none, or no whole number of milliseconds. */
export function parseDuration(text: string): number | undefined {
  return withUnit(text, durationUnits);
}

/** Bytes of a text like `64KiB`; undefined where it is none, or no whole number of bytes. */
export function parseSize(text: string): number | undefined {
  return /^\d{1,16}$/.test(text) ? withUnit(`${text}B`, sizeUnits) : withUnit(text, sizeUnits);
}

/** Bounds and how to write them. */
interface Bounds {
  readonly min: string;
  readonly max: string;
}

/** A duration: `500ms`, `30s`, `5m`, `1h`, `2d`; gives milliseconds. */
export function duration({ min, max }: Bounds) {
  return z
    .string(`must be a duration such as "${max}"`)
    .transform((written, context) => {
      const value = parseDuration(written);
      if (value === undefined) context.addIssue(`must be a duration: a number with one of ms, s, m, h, d`);
      else if (value < (parseDuration(min) ?? 0) || value > (parseDuration(max) ?? 0)) {
        context.addIssue(`must be between ${min} and ${max}`);
      }
      return value ?? 0;
    })
    .meta({ kind: `duration, ${min} to ${max}` });
}

/** A number of bytes, plain or with a unit: `64KiB`, `5TiB`, `10MB`; gives bytes. */
export function size({ min, max }: Bounds) {
  const word = z.preprocess(
    (value) => (typeof value === 'number' ? String(value) : value),
    z.string(`must be a size such as "${max}"`),
  );
  return word
    .transform((written, context) => {
      const value = parseSize(written);
      if (value === undefined) {
        context.addIssue('must be a size: a whole number of bytes, or with KiB, MiB, GiB, TiB, PiB');
      } else if (value < (parseSize(min) ?? 0) || value > (parseSize(max) ?? 0)) {
        context.addIssue(`must be between ${min} and ${max}`);
      }
      return value ?? 0;
    })
    .meta({ kind: `size, ${min} to ${max}` });
}

/** A whole number; digits in a string count too, because that is what `${VARIABLE}` gives. */
export function integer(min: number, max: number) {
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value),
    z.int(`must be a whole number from ${min} to ${max}`).min(min).max(max),
  );
}

/** `true` or `false`; the same words in a string count too. */
export function flag() {
  return z.preprocess(
    (value) => (value === 'true' ? true : value === 'false' ? false : value),
    z.boolean('must be true or false'),
  );
}

/** A text with a bounded length. */
export function text(max: number) {
  return z.string('must be a text').min(1, 'must not be empty').max(max, `must have at most ${max} characters`);
}

/** A list with a bounded length. */
export function list<Item extends z.ZodType>(item: Item, max: number) {
  return z.array(item, 'must be a list').max(max, `must have at most ${max} entries`);
}

/** A name given to a part of the configuration; it stands in stored objects, metrics and logs. */
export function name() {
  return z
    .string('must be a text')
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
      'must be 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit',
    );
}

/** An address or a CIDR block. */
export function addressBlock() {
  return z.string('must be a text').refine(isAddressBlock, 'must be an IP address or a block such as 10.0.0.0/8');
}

function isAddressBlock(value: string): boolean {
  const [address = '', prefix, ...rest] = value.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

/** Refuses what `accepts` does not: the setting is known, but the program cannot do it yet. */
export function notYet<Schema extends z.ZodType>(schema: Schema, accepts?: (value: z.output<Schema>) => boolean) {
  const refused = schema.refine((value) => accepts?.(value) ?? false, 'is not supported yet');
  return accepts === undefined ? refused.meta({ notYet: true }) : refused;
}
