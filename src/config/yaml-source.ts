import { dirname } from 'node:path';

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

import { Placeholders } from './placeholders.ts';
import { type ConfigProblem, formatPath } from './problem.ts';

const maxNodes = 100_000;
const maxDepth = 32;

type Path = readonly PropertyKey[];

/** Where a setting stands: offsets into the document, or the environment variable that set it. */
interface Place {
  readonly key?: number;
  readonly value?: number;
  readonly variable?: string;
}

function placeKey(path: Path): string {
  return JSON.stringify(path.map(String));
}

/**
 * One YAML document with the position of everything in it. Maps become objects without prototype; an empty value
 * counts as not given. Placeholders are filled in.
 */
export class YamlSource {
  readonly file: string;
  /** Directory that relative paths in the document start from. */
  readonly directory: string;
  readonly problems: ConfigProblem[] = [];
  readonly #lines = new LineCounter();
  readonly #places = new Map<string, Place>();
  readonly #placeholders: Placeholders;
  #value: unknown;
  #nodes = 0;

  /** Parses; mistakes are in `problems`. */
  static async parse(
    file: string,
    text: string,
    env: Readonly<Record<string, string | undefined>>,
    directory: string = dirname(file),
  ): Promise<YamlSource> {
    const placeholders = await Placeholders.resolve(text, { env, directory });
    return new YamlSource(file, text, directory, placeholders);
  }

  private constructor(file: string, text: string, directory: string, placeholders: Placeholders) {
    this.file = file;
    this.directory = directory;
    this.#placeholders = placeholders;
    const document = parseDocument(placeholders.maskedText, {
      lineCounter: this.#lines,
      prettyErrors: false,
      version: '1.2',
      schema: 'core',
    });
    // The first mistake in the syntax makes the following ones. Its message may quote the text, and so a secret.
    const [mistake] = [...document.errors, ...document.warnings];
    if (mistake !== undefined) {
      this.#report(mistake.pos[0], [], placeholders.restore(mistake.message.replace(/:?\s*["'`][^]*$/, '')));
    }
    if (Placeholders.holdsMarks(text)) this.#report(0, [], 'characters U+E000 to U+E4FF cannot be used');
    if (this.problems.length > 0) return;
    this.#value = this.#convert(document.contents, []) ?? Object.create(null);
  }

  /** The document as plain data. */
  get value(): unknown {
    return this.#value;
  }

  /** Puts a value that an environment variable gives in the place of what the document says. */
  override(path: readonly string[], value: string, variable: string): void {
    let target = this.#value;
    for (const step of path.slice(0, -1)) {
      if (!isRecord(target)) return;
      target[step] ??= Object.create(null);
      target = target[step];
    }
    const last = path.at(-1);
    if (!isRecord(target) || last === undefined) return;
    target[last] = value;
    this.#places.set(placeKey(path), { variable });
  }

  /** A problem at the value of a path, or at the key itself, or at the nearest thing around it that exists. */
  problemAt(path: Path, message: string, options: { at?: 'key' | 'value'; suggestion?: string } = {}): ConfigProblem {
    const { at = 'value', suggestion } = options;
    const hint = suggestion === undefined ? {} : { suggestion };
    for (let length = path.length; length >= 0; length -= 1) {
      const place = this.#places.get(placeKey(path.slice(0, length)));
      if (place === undefined) continue;
      if (place.variable !== undefined) return { source: place.variable, path: formatPath(path), message, ...hint };
      // What is missing is shown at the key of the section that it is missing from.
      const wanted = at === 'key' || length < path.length ? (place.key ?? place.value) : (place.value ?? place.key);
      return { ...this.#at(wanted ?? 0), path: formatPath(path), message, ...hint };
    }
    return { source: this.file, path: formatPath(path), message, ...hint };
  }

  #at(offset: number): { source: string; line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { source: this.file, line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  #report(offset: number, path: Path, message: string): undefined {
    this.problems.push({ ...this.#at(offset), path: formatPath(path), message });
    return undefined;
  }

  #convert(node: unknown, path: Path): unknown {
    if (isAlias(node)) return this.#report(node.range?.[0] ?? 0, path, 'aliases are not supported');
    if (!isMap(node) && !isSeq(node) && !isScalar(node)) return undefined;
    const start = node.range?.[0] ?? 0;
    this.#nodes += 1;
    if (this.#nodes > maxNodes || path.length > maxDepth) return this.#report(start, path, 'too large or too deep');
    this.#places.set(placeKey(path), { ...this.#places.get(placeKey(path)), value: start });
    if (isSeq(node)) return node.items.map((item, index) => this.#convert(item, [...path, index]));
    if (isMap(node)) return this.#convertMap(node.items, path);
    const { value } = node;
    if (typeof value !== 'string') return value ?? undefined;
    return this.#placeholders.fill(value, ({ offset, message }) => this.#report(offset, path, message));
  }

  #convertMap(pairs: readonly { key: unknown; value: unknown }[], path: Path): Record<string, unknown> {
    const record: Record<string, unknown> = Object.create(null);
    for (const { key, value } of pairs) {
      if (!isScalar(key)) continue;
      const name = this.#placeholders.restore(String(key.value));
      const inner = [...path, name];
      if (name === '__proto__') {
        this.#report(startOf(key), inner, 'unknown key "__proto__"');
        continue;
      }
      this.#places.set(placeKey(inner), { key: startOf(key) });
      record[name] = this.#convert(value, inner);
    }
    return record;
  }
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
