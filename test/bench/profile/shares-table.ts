import { categories } from './shares.ts';
import type { LoadProfile } from './profile.ts';

/** What is shown of a profile in numbers. */
export type LoadShares = Pick<LoadProfile, 'load' | 'shares' | 'kernelShare'>;

/** A table in Markdown: the categories, with their shares of each load's time in percent. */
export function sharesTable(profiles: readonly LoadShares[]): string {
  const rows = categories.map((category) => [category, ...profiles.map(({ shares }) => percent(shares[category]))]);
  const kernel = ['in the kernel, of all CPU time', ...profiles.map(({ kernelShare }) => percent(kernelShare))];
  const heads = ['% of the time on the CPU', ...profiles.map(({ load }) => load)];
  return [heads, heads.map((_, index) => (index === 0 ? '---' : '---:')), ...rows, kernel]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function percent(share: number): string {
  return (share * 100).toFixed(1);
}
