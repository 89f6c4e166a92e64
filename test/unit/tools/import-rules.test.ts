import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';

const root = join(import.meta.dirname, '../../..');
const adapters = {
  store: ['s3', 'filesystem'],
  keys: ['local', 'aws-kms', 'vault-transit'],
  uploads: ['memory', 'store', 'valkey'],
} as const;

/** A row of the table in docs/architecture.md, which is the rule; `.oxlintrc.json` is what is tested against it. */
interface Row {
  readonly name: string;
  readonly isFile: boolean;
  readonly allowed: ReadonlySet<string>;
  readonly packages: ReadonlySet<string>;
}

async function rulesOfTheDocs(): Promise<readonly Row[]> {
  const text = await readFile(join(root, 'docs/architecture.md'), 'utf8');
  const rows = Array.from(text.matchAll(/^\| `src\/([\w.]+)(\/?)` \|[^|]*\|([^|]*)\|([^|]*)\|$/gm));
  const names = rows.map(([, name = '']) => name.replace('.ts', ''));
  return rows.map(([, file = '', slash, allowed = '', packages = '']) => {
    const name = file.replace('.ts', '');
    const isAllButTop = allowed.trim() === 'everything but cli, workers and main';
    const listed = isAllButTop ? names.filter((other) => !['cli', 'workers', 'main'].includes(other)) : words(allowed);
    return { name, isFile: slash === '', allowed: new Set([name, ...listed]), packages: new Set(words(packages)) };
  });
}

function words(cell: string): string[] {
  return cell
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** A module of `row` as others import it: by its path from `src/`. */
function moduleOf(row: Row): string {
  return row.isFile ? `${row.name}.ts` : `${row.name}/probe.ts`;
}

/** A file with one import, and whether the linter must refuse it. */
interface Probe {
  readonly path: string;
  readonly text: string;
  readonly isAllowed: boolean;
}

/** A probe in `from`; only a file of its own name has the rules of `src/main.ts`. */
function probe(from: Row, target: string, isAllowed: boolean): Probe {
  const [path, up] = from.isFile ? [`src/${from.name}.ts`, './'] : [`src/${from.name}/probe.ts`, '../'];
  const specifier = /^[\w@][^.]*$/.test(target) ? target : `${up}${target}`;
  return { path, text: `export { x } from '${specifier}';\n`, isAllowed };
}

const folder = await mkdtemp(join(tmpdir(), 'import-rules-'));
let rules: readonly Row[] = [];

before(async () => {
  rules = await rulesOfTheDocs();
});
after(() => rm(folder, { recursive: true, force: true }));

/** Lints the probes, those of the same path one after the other, and gives those that were refused. */
async function refused(probes: readonly Probe[]): Promise<ReadonlySet<Probe>> {
  const found = new Set<Probe>();
  const area = await mkdtemp(join(folder, 'run-'));
  const byPath = Map.groupBy(probes, ({ path }) => path);
  const rounds = Math.max(...Array.from(byPath.values(), (same) => same.length));
  for (let round = 0; round < rounds; round++) {
    const now = Array.from(byPath.values(), (same) => same[round]).filter((one) => one !== undefined);
    await rm(join(area, 'src'), { recursive: true, force: true });
    await copyFile(join(root, '.oxlintrc.json'), join(area, '.oxlintrc.json'));
    for (const one of now) {
      await mkdir(dirname(join(area, one.path)), { recursive: true });
      await writeFile(join(area, one.path), one.text);
    }
    const { status, files } = lint(area);
    for (const one of now) if (files.has(one.path)) found.add(one);
    assert.equal(status !== 0, files.size > 0, 'the exit code says whether anything was refused');
  }
  return found;
}

function lint(area: string): { readonly status: number | null; readonly files: ReadonlySet<string> } {
  const run = spawnSync(process.execPath, [join(root, 'node_modules/oxlint/bin/oxlint'), '--format', 'json', '.'], {
    cwd: area,
    encoding: 'utf8',
  });
  const { diagnostics }: { diagnostics: readonly { readonly filename: string; readonly code: string }[] } = JSON.parse(
    run.stdout,
  );
  const ofImports = diagnostics.filter(({ code }) => /restricted-imports|consistent-type-imports/.test(code));
  return { status: run.status, files: new Set(ofImports.map(({ filename }) => filename)) };
}

async function check(probes: readonly Probe[]): Promise<void> {
  const found = await refused(probes);
  const wrong = probes.filter((one) => found.has(one) === one.isAllowed);
  const said = wrong.map((one) => `${one.path}: ${one.text.trim()} must ${one.isAllowed ? '' : 'not '}pass`);
  assert.deepEqual(said, []);
}

test('every folder of src has its row', async () => {
  const entries = await readdir(join(root, 'src'));
  const rows = new Set(rules.map(({ name, isFile }) => (isFile ? `${name}.ts` : name)));
  assert.deepEqual(
    entries.filter((entry) => !rows.has(entry)),
    [],
  );
});

test('imports go one way: the linter lets each folder import what its row says, and nothing else', async () => {
  const probes = rules.flatMap((from) =>
    rules
      .filter((to) => to.name !== from.name)
      .map((to) => probe(from, moduleOf(to), from.allowed.has(to.name) || from.allowed.has(`${to.name}.ts`))),
  );
  assert.ok(probes.length > 250, `${probes.length} pairs`);
  await check(probes);
});

test('only wire names adapters, and adapters do not know each other', async () => {
  const probes = rules.flatMap((from) =>
    Object.entries(adapters)
      .filter(([port]) => port !== from.name)
      .flatMap(([port, names]) => names.map((name) => probe(from, `${port}/${name}/probe.ts`, from.name === 'wire'))),
  );
  const inside = Object.entries(adapters).flatMap(([port, [first, second]]) => [
    { path: `src/${port}/port.ts`, text: `export { x } from './${first}/probe.ts';\n`, isAllowed: false },
    { path: `src/${port}/${first}/probe.ts`, text: `export { x } from '../${second}/probe.ts';\n`, isAllowed: false },
    { path: `src/${port}/${first}/probe.ts`, text: `export { x } from '../port.ts';\n`, isAllowed: true },
    { path: `src/${port}/${first}/probe.ts`, text: `export { x } from '../../http/probe.ts';\n`, isAllowed: false },
    { path: `src/${port}/${first}/probe.ts`, text: `export { x } from '../../base/probe.ts';\n`, isAllowed: true },
  ]);
  await check([...probes, ...inside]);
});

test('each package is imported only inside the folders of its column', async () => {
  const packages = new Set(rules.flatMap((row) => [...row.packages]));
  assert.ok(packages.size >= 9);
  const probes = rules.flatMap((from) => Array.from(packages, (name) => probe(from, name, from.packages.has(name))));
  await check(probes);
});

test('no way of writing an import gets round the rules', async () => {
  const forms = [
    `import type { T } from '../s3/probe.ts';\nexport const t: T = 1;`,
    `import * as all from '../s3/probe.ts';\nexport const t = all;`,
    `import '../s3/probe.ts';`,
    `export * from '../s3/probe.ts';`,
    `export type { T } from '../s3/probe.ts';`,
    `export const t = await import('../s3/probe.ts');`,
    `export type T = import('../s3/probe.ts').T;`,
    `export { x } from './../s3/probe.ts';`,
    `export { x } from '../http/../s3/probe.ts';`,
    `export { x } from '.././s3/probe.ts';`,
    `export { x } from '..//s3/probe.ts';`,
  ];
  await check(forms.map((text, index) => ({ path: `src/http/form-${index}.ts`, text, isAllowed: false })));
});

test('interop tests are black box', async () => {
  await check([
    { path: 'test/interop/probe.ts', text: `export { x } from '../../src/base/probe.ts';\n`, isAllowed: false },
    { path: 'test/unit/probe.ts', text: `export { x } from '../../src/base/probe.ts';\n`, isAllowed: true },
  ]);
});

test('npm run check runs the linter over the whole tree, and no file of src switches the rules off', async () => {
  const { scripts }: { scripts: Readonly<Record<string, string>> } = JSON.parse(
    await readFile(join(root, 'package.json'), 'utf8'),
  );
  assert.ok(scripts['check']?.includes('npm run check:lint'));
  assert.match(scripts['check:lint'] ?? '', /^oxlint\b.* \.$/);
  const files = (await readdir(join(root, 'src'), { recursive: true })).filter((name) => name.endsWith('.ts'));
  assert.ok(files.length > 100);
  for (const file of files) {
    const text = await readFile(join(root, 'src', file), 'utf8');
    assert.doesNotMatch(text, /(?:ox|es)lint-disable(?:(?:-next)?-line)?(?:\s*$|.*(?:restricted|type)-imports)/m, file);
  }
});
