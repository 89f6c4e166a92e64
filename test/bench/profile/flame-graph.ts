import { escapeXml, svgFrame } from '../svg.ts';
import type { CallFrame, Frame } from './cpu-profile.ts';
import { categoryOf, type Category } from './shares.ts';

const widthPx = 1200;
const rowPx = 17;
const titlePx = 46;
const characterPx = 6.2;
/** What is narrower is left out; it would be seen as a hair. */
const narrowestPx = 0.7;

/** Hues by what the code is. */
const colours: Readonly<Record<Category, string>> = {
  'ciphers and hashes': '#8fc98f',
  'sockets: write calls': '#e8a06b',
  'sockets: read calls and the event loop': '#efbf87',
  'HTTP server of Node': '#8fb8e8',
  'HTTP client': '#a8c8ee',
  'streams and promises of Node': '#c4b3e6',
  'memory: buffers': '#d9a6c8',
  'memory: garbage collection': '#e58f9d',
  'gateway: crypto and envelope': '#e6d26e',
  'gateway: HTTP, S3, signatures': '#eadb8a',
  'gateway: backend': '#d8cb84',
  'gateway: operations, policies, keys': '#efe3a6',
  'gateway: logs and metrics': '#cfc48f',
  other: '#c4c4c4',
};

interface Box {
  readonly frame: Frame;
  readonly stack: readonly CallFrame[];
  readonly leftPx: number;
  readonly boxPx: number;
  readonly depth: number;
}

/** A flame graph as a picture that needs nothing else: callers below, the widest first, details as tool tips. */
export function flameGraph(root: Frame, title: string): string {
  const boxes = boxesOf(root);
  const rows = Math.max(0, ...boxes.map(({ depth }) => depth)) + 1;
  const heightPx = titlePx + rows * rowPx + 6;
  const drawn = boxes.map((box) => draw(box, root.totalMicros, heightPx - 6 - (box.depth + 1) * rowPx));
  const head = `<text x="8" y="20" class="title">${escapeXml(title)}</text>`;
  const note = `<text x="8" y="37">Width is time on the CPU; callers are below. Tool tips say where the code is.</text>`;
  const style = '.box{stroke:#fff;stroke-width:.4} .in{fill:#1b1b1b;font:10px ui-monospace,monospace}';
  return svgFrame({ widthPx, heightPx, label: title, style }, [head, note, ...drawn]);
}

function boxesOf(root: Frame): readonly Box[] {
  const boxes: Box[] = [];
  const visit = (frame: Frame, stack: readonly CallFrame[], leftPx: number): void => {
    const boxPx = (frame.totalMicros / root.totalMicros) * widthPx;
    if (!(boxPx >= narrowestPx)) return;
    boxes.push({ frame, stack, leftPx, boxPx, depth: stack.length });
    let nextPx = leftPx;
    for (const child of [...frame.children.values()].toSorted((a, b) => b.totalMicros - a.totalMicros)) {
      visit(child, [...stack, child.call], nextPx);
      nextPx += (child.totalMicros / root.totalMicros) * widthPx;
    }
  };
  visit(root, [], 0);
  return boxes;
}

function draw({ frame, stack, leftPx, boxPx }: Box, allMicros: number, topPx: number): string {
  const { functionName, url, lineNumber } = frame.call;
  const name = functionName === '' ? '(anonymous)' : functionName;
  const place = url === '' ? '' : ` ${shortPlace(url)}:${lineNumber + 1}`;
  const percent = ((frame.totalMicros / allMicros) * 100).toFixed(2);
  const letters = Math.floor((boxPx - 4) / characterPx);
  const label = letters < 3 ? '' : name.length > letters ? `${name.slice(0, letters - 1)}…` : name;
  const text =
    label === '' ? '' : `<text x="${px(leftPx + 2)}" y="${px(topPx + 12)}" class="in">${escapeXml(label)}</text>`;
  return (
    `<g><title>${escapeXml(`${name}${place}, ${percent} %`)}</title><rect class="box" x="${px(leftPx)}" y="${px(topPx)}" ` +
    `width="${px(boxPx)}" height="${rowPx - 1}" fill="${colours[categoryOf(stack)]}"/>${text}</g>`
  );
}

/** Paths from `src/` or of the package; nothing of the machine. */
function shortPlace(url: string): string {
  return url.replace(/^file:\/\/.*\/(?=(src|node_modules|bin)\/)/, '').replace(/^file:\/\/.*\//, '');
}

function px(value: number): string {
  return Number(value.toFixed(1)).toString();
}
