import { goals, isReached, reached, type Goal } from './goals.ts';
import { shown } from './report.ts';
import { reference, type Sample } from './results.ts';
import type { Spread } from './statistics.ts';
import { escapeXml, svgFrame } from './svg.ts';

const widthPx = 760;
const labelPx = 300;
const rightPx = 70;
const topPx = 54;
const rowPx = 30;

interface Bar {
  readonly goal: Goal;
  readonly spread: Spread;
}

/**
 * A picture of the goals that are ratios to MinIO: a bar to the median, a thin line from quartile to quartile, a mark at the
 * goal, and a line where the gateway would cost as much as MinIO. Nothing where none was measured.
 */
export function ratioChart(samples: readonly Sample[]): string | undefined {
  const bars = goals.flatMap((goal) => {
    const { kind, against = reference } = goal;
    const spread = kind === 'ratio' && against === reference ? reached(goal, samples) : undefined;
    return spread === undefined ? [] : [{ goal, spread }];
  });
  if (bars.length === 0) return undefined;
  const most = Math.max(...bars.map(({ goal, spread }) => Math.max(goal.limit, spread.upperQuartile, 1)));
  const x = (ratio: number): number => labelPx + (ratio / most) * (widthPx - labelPx - rightPx);
  const heightPx = topPx + bars.length * rowPx + 12;
  const label = 'The gateway beside MinIO: 1 is as much as MinIO itself';
  const style =
    '.good{fill:#3f9d5f} .bad{fill:#c9772b} .goal{stroke:#0969da;stroke-width:3} .range{stroke:#24292f;stroke-width:1.5}' +
    '@media (prefers-color-scheme:dark){.goal{stroke:#58a6ff} .range{stroke:#e6edf3}}';
  return svgFrame({ widthPx, heightPx, label, style }, [
    `<text x="8" y="18" class="title">${escapeXml(label)}</text>`,
    `<text x="8" y="36">Bars: median; thin lines: quartiles; blue marks: goals.</text>`,
    `<line class="line" x1="${px(x(1))}" x2="${px(x(1))}" y1="${topPx - 10}" y2="${heightPx - 6}" stroke-dasharray="3 3"/>`,
    ...bars.map((bar, index) => draw(bar, topPx + index * rowPx, x)),
  ]);
}

function draw({ goal, spread }: Bar, y: number, x: (ratio: number) => number): string {
  const { median, lowerQuartile, upperQuartile } = spread;
  const middle = y + 10;
  const goalPx = px(x(goal.limit));
  const kind = isReached(goal, spread) ? 'good' : 'bad';
  const sign = goal.isLeast === true ? '≥' : '≤';
  return [
    `<g><title>${escapeXml(`${goal.title}: ${shown(median)}, goal ${sign} ${goal.limit}`)}</title>`,
    `<text x="${labelPx - 8}" y="${y + 14}" text-anchor="end">${escapeXml(goal.title)}</text>`,
    `<rect class="${kind}" x="${labelPx}" y="${y}" width="${px(x(median) - labelPx)}" height="20" rx="2"/>`,
    `<line class="range" x1="${px(x(lowerQuartile))}" x2="${px(x(upperQuartile))}" y1="${middle}" y2="${middle}"/>`,
    `<line class="goal" x1="${goalPx}" x2="${goalPx}" y1="${y - 3}" y2="${y + 23}"/>`,
    `<text x="${px(Math.max(x(upperQuartile), x(goal.limit), x(median)) + 6)}" y="${y + 14}">${shown(median)} ×</text></g>`,
  ].join('');
}

function px(value: number): string {
  return Number(value.toFixed(1)).toString();
}
