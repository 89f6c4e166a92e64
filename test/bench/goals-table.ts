import { goals, isReached, reached } from './goals.ts';
import { shown, shownSpread } from './report.ts';
import type { Sample } from './results.ts';

/** A table in Markdown: each goal whose load was run, with what was reached. */
export function goalsTable(samples: readonly Sample[]): string {
  const rows = goals.flatMap((goal) => {
    const spread = reached(goal, samples);
    if (spread === undefined) return [];
    const limit = `${goal.isLeast === true ? '≥' : '≤'} ${shown(goal.limit)} ${goal.unit}`;
    return [[goal.title, limit, shownSpread(spread), isReached(goal, spread) ? 'reached' : '**not reached**']];
  });
  if (rows.length === 0) return '';
  const head = ['', 'goal', 'measured: median (quartiles)', ''];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
