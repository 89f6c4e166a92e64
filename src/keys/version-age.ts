import type { KeyDescription, KeyProvider } from './key-provider.ts';

/**
 * How many versions before the current one a version is, 0 for the current one and what belongs to it (`familyOf`); -1 for
 * one that is not among those described.
 */
export function versionAge(
  provider: Pick<KeyProvider, 'familyOf'>,
  version: string,
  { versions }: Pick<KeyDescription, 'versions'>,
): number {
  const exact = versions.indexOf(version);
  if (exact !== -1 || provider.familyOf === undefined) return exact;
  const family = provider.familyOf(version);
  return versions.findIndex((other) => provider.familyOf?.(other) === family);
}
