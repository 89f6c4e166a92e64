import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const linkPattern = /\[[^\]]*\]\(([^)\s]+)\)/g;
const elsewhere = /^[a-z]+:/;

/** One line per link of a page to a file, or to a heading of one, that is not there. Links to other sites are not followed. */
export function checkLinks(root = '.'): string[] {
  const pages = globSync('**/*.md', {
    cwd: root,
    exclude: ['node_modules/**', 'data/**', 'test/vectors/**'],
  }).toSorted();
  return pages.flatMap((page) => {
    const text = withoutCode(readFileSync(join(root, page), 'utf8'));
    const links = Array.from(text.matchAll(linkPattern), ([, target = '']) => target);
    return links
      .filter((target) => !elsewhere.test(target) && !leadsSomewhere(root, page, target))
      .map((target) => `${page} links to ${target}, which is not there`);
  });
}

function leadsSomewhere(root: string, page: string, target: string): boolean {
  const [path = '', heading] = target.split('#');
  const file = path === '' ? page : join(dirname(page), path);
  if (relative(root, join(root, file)).startsWith('..') || !existsSync(join(root, file))) return false;
  return heading === undefined || headingsOf(readFileSync(join(root, file), 'utf8')).has(heading);
}

/** Anchors as code hosts make them: lower case, dashes for spaces, no punctuation. */
function headingsOf(text: string): ReadonlySet<string> {
  const headings = Array.from(withoutCode(text).matchAll(/^#{1,6} (.+)$/gm), ([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Fenced blocks hold examples. */
function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '');
}
