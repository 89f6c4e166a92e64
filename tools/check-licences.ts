import { readFileSync } from 'node:fs';

/** What the check looks at of an entry of package-lock.json. */
interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

/** Entries of package-lock.json by path. */
export type LockedPackages = Readonly<Record<string, LockedPackage>>;

/** Permissive licences whose terms a distribution of the gateway can meet by naming them. */
const runtimeLicences = new Set(['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'ISC', 'MIT']);
const developmentLicences = new Set([...runtimeLicences, 'BSD-3-Clause']);

/** One line per package with a licence that nobody agreed to, or that wants to run a script when it is installed. */
export function checkLicences(packages: LockedPackages = lockedPackages()): string[] {
  return Object.entries(packages).flatMap(([path, entry]) => {
    if (entry.link === true) return [];
    const name = `${path === '' ? 'the project itself' : path.replace(/^.*node_modules\//, '')}@${entry.version ?? '?'}`;
    const allowed = entry.dev === true ? developmentLicences : runtimeLicences;
    const problems: string[] = [];
    if (!isAllowed(entry.license, allowed)) problems.push(`${name} has the licence ${entry.license ?? '(none)'}`);
    if (entry.hasInstallScript === true) problems.push(`${name} wants to run an install script`);
    return problems;
  });
}

/** SPDX expressions of names only: any of an `OR`, all of an `AND`. */
function isAllowed(expression: string | undefined, allowed: ReadonlySet<string>): boolean {
  const choices = (expression ?? '').replaceAll(/[()]/g, '').split(/ OR /);
  return choices.some((choice) => choice.split(/ AND /).every((licence) => allowed.has(licence.trim())));
}

function lockedPackages(): LockedPackages {
  const lock: { readonly packages: LockedPackages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  return lock.packages;
}
