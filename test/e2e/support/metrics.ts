import assert from 'node:assert/strict';

import type { Gateway } from './gateway.ts';
import { RawConnection, requestHead } from './raw-connection.ts';
import type { S3Response } from './response.ts';

/** One sample of a metric. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A scrape, parsed. */
export interface Scrape {
  readonly samples: readonly Sample[];
  /** Type by the name of the family. */
  readonly types: ReadonlyMap<string, string>;
}

/** Asks the admin listener. */
export async function admin(
  gateway: Pick<Gateway, 'admin'>,
  target: string,
  options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<S3Response> {
  const { method = 'GET', headers = {} } = options;
  using connection = await RawConnection.open(gateway.admin);
  connection.write(requestHead(method, target, { host: 'admin', ...headers }));
  return await connection.answer(method);
}

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const labelPair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

/**
 * Parses the text format (Prometheus exposition formats, "Text format details"); throws for every line that is not of it,
 * for samples of no family and for families or samples that come twice.
 */
export function parseMetrics(text: string): Scrape {
  assert.ok(text.endsWith('\n'), 'the last line ends');
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  const helps = new Set<string>();
  const seen = new Set<string>();
  for (const line of text.slice(0, -1).split('\n')) {
    const [, kind, family = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') {
      assert.ok(!helps.has(family), `HELP of ${family} twice`);
      helps.add(family);
    } else if (kind === 'TYPE') {
      assert.ok(!types.has(family), `TYPE of ${family} twice`);
      assert.match(rest, /^(counter|gauge|histogram|summary|untyped)$/);
      types.set(family, rest);
    } else {
      const sample = parseSample(line);
      const id = line.slice(0, line.lastIndexOf(' '));
      assert.ok(!seen.has(id), `twice: ${id}`);
      seen.add(id);
      assert.ok(types.has(sample.name) || isOfHistogram(sample.name, types), `of no family: ${line}`);
      samples.push(sample);
    }
  }
  return { samples, types };
}

function parseSample(line: string): Sample {
  const [, name = '', labelText = '', value = ''] = sampleLine.exec(line) ?? [];
  assert.notEqual(name, '', `not a sample: ${line}`);
  const labels: Record<string, string> = {};
  labelPair.lastIndex = 0;
  while (labelPair.lastIndex < labelText.length) {
    const [, label, quoted = ''] = labelPair.exec(labelText) ?? [];
    assert.ok(label !== undefined && labels[label] === undefined, `labels of ${line}`);
    labels[label] = quoted.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
  }
  const number = value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value);
  assert.ok(!Number.isNaN(number), `not a number: ${line}`);
  return { name, labels, value: number };
}

function isOfHistogram(name: string, types: ReadonlyMap<string, string>): boolean {
  return types.get(name.replace(/_(bucket|sum|count)$/, '')) === 'histogram';
}

/** Scrapes `/metrics`. */
export async function scrape(gateway: Pick<Gateway, 'admin'>): Promise<Scrape> {
  const { status, text } = await admin(gateway, '/metrics');
  assert.equal(status, 200);
  return parseMetrics(text);
}

/** Sum of the samples of a name whose labels have at least these values; 0 where there is none. */
export function valueOf(scraped: Scrape, name: string, labels: Readonly<Record<string, string>> = {}): number {
  return scraped.samples
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
