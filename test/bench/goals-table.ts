import { goals, isReached, reached } from './goals.ts';
import { shown, shownSpread } from './report.ts';
import { bareRelay, leastGateway, type Sample } from './results.ts';

/** A table in Markdown: each goal whose load was run, with what was reached, and what a bare relay does where it was measured. */
export function goalsTable(samples: readonly Sample[]): string {
  const rows = goals.flatMap((goal) => {
    const spread = reached(goal, samples);
    if (spread === undefined) return [];
    const limit = `${goal.isLeast === true ? '≥' : '≤'} ${shown(goal.limit)} ${goal.unit}`;
    const less = [leastGateway, bareRelay].map((target) => {
      const figure = reached(goal, samples, target);
      return figure === undefined ? '' : shownSpread(figure);
    });
    const verdict = isReached(goal, spread) ? 'reached' : '**not reached**';
    return [[goal.title, limit, shownSpread(spread), verdict, ...less]];
  });
  if (rows.length === 0) return '';
  const head = ['', 'goal', 'measured: median (quartiles)', '', leastGateway, bareRelay];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
