import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

/** A `${NAME}` or `${file:/path}` of a document. */
interface Placeholder {
  readonly offset: number;
  /** As it was written. */
  readonly text: string;
  readonly value?: string;
  readonly error?: string;
}

/**
 * Characters of the Private Use Area stand for placeholders while the YAML is parsed: `{` and `:` within them would be
 * syntax there. Each placeholder becomes as many characters as it had, so that every position stays what it was.
 */
const openMark = '\uE000';
const closeMark = '\uE001';
const padding = '\uE002';
const firstIndexMark = 0xe100;
const maxPlaceholders = 1024;
const maxSecretFileBytes = 64 * 1024;

/** Where values come from. */
export interface PlaceholderSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Directory that relative paths start from. */
  readonly directory: string;
}

/** A problem with one placeholder that was used. */
export interface PlaceholderProblem {
  readonly offset: number;
  readonly message: string;
}

/** The placeholders of one document: taken out before it is parsed, put in as values afterwards. */
export class Placeholders {
  /** The document with marks in place of the placeholders. */
  readonly maskedText: string;
  readonly #found: readonly Placeholder[];

  /** Finds and resolves all placeholders; failures are kept until the placeholder turns out to be used. */
  static async resolve(text: string, sources: PlaceholderSources): Promise<Placeholders> {
    const matches = [...text.matchAll(/\$\{([^}\n]*)\}/g)].slice(0, maxPlaceholders);
    const found = await Promise.all(matches.map((match) => lookUp(match[0], match[1] ?? '', match.index, sources)));
    return new Placeholders(text, found);
  }

  private constructor(text: string, found: readonly Placeholder[]) {
    this.#found = found;
    let masked = '';
    let end = 0;
    for (const [index, { offset, text: original }] of found.entries()) {
      const mark = openMark + String.fromCharCode(firstIndexMark + index);
      masked += text.slice(end, offset) + mark.padEnd(original.length - 1, padding) + closeMark;
      end = offset + original.length;
    }
    this.maskedText = masked + text.slice(end);
  }

  /** Whether a text holds characters that are used as marks, which a document therefore must not. */
  static holdsMarks(text: string): boolean {
    return /[\uE000-\uE4FF]/.test(text);
  }

  /** A string with its placeholders replaced by their values; failures go to `onProblem`. */
  fill(masked: string, onProblem: (problem: PlaceholderProblem) => void): string {
    return this.#replace(masked, (placeholder) => {
      if (placeholder.error !== undefined) onProblem({ offset: placeholder.offset, message: placeholder.error });
      return placeholder.value ?? '';
    });
  }

  /** A string with its placeholders as they were written. */
  restore(masked: string): string {
    return this.#replace(masked, ({ text }) => text);
  }

  #replace(masked: string, replacement: (placeholder: Placeholder) => string): string {
    if (!masked.includes(openMark)) return masked;
    return masked.replaceAll(/\uE000([\uE100-\uE4FF])\uE002*\uE001/g, (whole, mark: string) => {
      const placeholder = this.#found[mark.charCodeAt(0) - firstIndexMark];
      return placeholder === undefined ? whole : replacement(placeholder);
    });
  }
}

async function lookUp(text: string, name: string, offset: number, sources: PlaceholderSources): Promise<Placeholder> {
  if (name.startsWith('file:')) {
    const path = name.slice('file:'.length);
    try {
      return { offset, text, value: await readTextFile(resolve(sources.directory, path), maxSecretFileBytes) };
    } catch (error) {
      return { offset, text, error: `cannot read ${path}: ${reasonOf(error)}` };
    }
  }
  if (!/^[A-Za-z_]\w*$/.test(name)) {
    return { offset, text, error: `${text} is neither \${VARIABLE} nor \${file:/path}` };
  }
  const value = sources.env[name];
  return value === undefined
    ? { offset, text, error: `environment variable ${name} is not set` }
    : { offset, text, value };
}

/** The error code of the system, else the message. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

/**
 * Reads a small text file, without the line break at its end.
 * @throws when it cannot be read or is larger than `maxBytes`.
 */
export async function readTextFile(path: string, maxBytes: number): Promise<string> {
  const bytes = await readFile(path);
  if (bytes.length > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
  return bytes.toString('utf8').replace(/\r?\n$/, '');
}
