import { globSync, readFileSync } from 'node:fs';

/** Everything that the check compares, so that tests can give their own. */
export interface DependencyFacts {
  readonly manifest: DependencyManifest;
  /** Text of docs/dependencies.md. */
  readonly page: string;
  /** Text of each file under src/, by its path. */
  readonly sources: ReadonlyMap<string, string>;
}

interface DependencyManifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

type Table = ReadonlyMap<string, readonly string[]>;

const importPattern = /(?:\bfrom\s*|\bimport\s*\(?\s*|\)\s*\(\s*)'((?![./]|node:)[@\w][^']*)'/g;

/** One line per difference between package.json, docs/dependencies.md and what src/ imports. */
export function checkDependencies({ manifest, page, sources }: DependencyFacts): string[] {
  const runtime = { ...manifest.dependencies, ...manifest.optionalDependencies };
  const documented = tableOf(page, 'Runtime');
  return [
    ...differences(Object.keys(runtime), documented, 'Runtime'),
    ...differences(Object.keys(manifest.devDependencies), tableOf(page, 'Development'), 'Development'),
    ...differences(Object.keys(runtime), tableOf(page, 'Advisories'), 'Advisories'),
    ...unchecked(runtime, tableOf(page, 'Advisories')),
    ...unpinned({ ...runtime, ...manifest.devDependencies }),
    ...strayImports(documented, sources),
  ];
}

/** The facts of this repository. */
export function dependencyFacts(): DependencyFacts {
  const paths = globSync('src/**/*.ts').toSorted();
  return {
    manifest: JSON.parse(readFileSync('package.json', 'utf8')),
    page: readFileSync('docs/dependencies.md', 'utf8'),
    sources: new Map(paths.map((path) => [path, readFileSync(path, 'utf8')])),
  };
}

/** The table of one section: cells behind the first, by the package in the first. */
function tableOf(page: string, section: string): Table {
  const [, text = ''] = page.split(`\n## ${section}\n`);
  const [body = ''] = text.split('\n## ');
  const rows = Array.from(body.matchAll(/^\| `([^`]+)` \|(.*)\|$/gm));
  return new Map(rows.map(([, name = '', cells = '']) => [name, cells.split('|').map((cell) => cell.trim())]));
}

function differences(packages: readonly string[], table: Table, section: string): string[] {
  return [
    ...packages
      .filter((name) => !table.has(name))
      .map((name) => `${name} has no row under "${section}" of docs/dependencies.md`),
    ...Array.from(table.keys())
      .filter((name) => !packages.includes(name))
      .map((name) => `${name} stands under "${section}" of docs/dependencies.md but not in package.json`),
  ];
}

function unchecked(versions: Readonly<Record<string, string>>, table: Table): string[] {
  return Object.entries(versions)
    .filter(([name, version]) => table.has(name) && table.get(name)?.[0] !== version)
    .map(([name, version]) => `the advisories of ${name} were not checked for ${version} (docs/dependencies.md)`);
}

function unpinned(versions: Readonly<Record<string, string>>): string[] {
  return Object.entries(versions)
    .filter(([, version]) => !/^(?:\d+\.\d+\.\d+(?:-[\w.]+)?|file:[\w/]+)$/.test(version))
    .map(([name, version]) => `${name} is not pinned: ${version}`);
}

function strayImports(documented: Table, sources: ReadonlyMap<string, string>): string[] {
  const problems: string[] = [];
  for (const [path, text] of sources) {
    for (const [, specifier = ''] of text.matchAll(importPattern)) {
      const name = packageOf(specifier);
      const folders = Array.from(
        (documented.get(name)?.[0] ?? '').matchAll(/`(src\/[\w/]+\/)`/g),
        ([, folder]) => folder,
      );
      if (folders.some((folder) => folder !== undefined && path.startsWith(folder))) continue;
      problems.push(`${path} imports ${name}, which docs/dependencies.md does not give to its folder`);
    }
  }
  return problems;
}

/** `@scope/name/file` → `@scope/name`. */
function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
