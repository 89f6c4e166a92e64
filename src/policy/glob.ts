/**
 * Whether `text` matches `pattern` as a whole, where `*` stands for any run of characters (also `/` and none) and
 * everything else for itself. Searches forward only: no input makes it slow, unlike a regular expression.
 */
export function globMatch(pattern: string, text: string): boolean {
  let star = pattern.indexOf('*');
  if (star < 0) return pattern === text;
  if (!text.startsWith(pattern.slice(0, star))) return false;
  let position = star;
  for (;;) {
    const nextStar = pattern.indexOf('*', star + 1);
    if (nextStar < 0) {
      const tail = pattern.slice(star + 1);
      return text.length - position >= tail.length && text.endsWith(tail);
    }
    // The leftmost place is as good as any: whatever may follow a later one may follow this one too.
    const literal = pattern.slice(star + 1, nextStar);
    const found = text.indexOf(literal, position);
    if (found < 0) return false;
    position = found + literal.length;
    star = nextStar;
  }
}

/** Whether `text` begins with something that matches `pattern`; then everything that begins with `text` does too. */
export function globPrefixMatch(pattern: string, text: string): boolean {
  return pattern.includes('*') ? globMatch(`${pattern}*`, text) : text.startsWith(pattern);
}

/** Whether some text matches both patterns. Takes time proportional to the product of their lengths. */
export function globsIntersect(left: string, right: string): boolean {
  // reachable[j]: what is left of `left` after i characters and of `right` after j can still be met by one text.
  let reachable = startRow(right);
  for (const character of left) {
    const next: boolean[] = [];
    for (let j = 0; j <= right.length; j += 1) {
      const fromLeftStar = character === '*' && (reachable[j] === true || (j > 0 && next[j - 1] === true));
      const fromRightStar = right[j - 1] === '*' && (reachable[j] === true || next[j - 1] === true);
      const fromEqual = character === right[j - 1] && reachable[j - 1] === true;
      next.push(fromLeftStar || fromRightStar || fromEqual);
    }
    reachable = next;
  }
  return reachable[right.length] === true;
}

/** Which beginnings of a pattern match the empty text: none, and those made of stars. */
function startRow(pattern: string): boolean[] {
  const row = [true];
  for (const character of pattern) row.push(row[row.length - 1] === true && character === '*');
  return row;
}

/** More than any pattern has characters. */
const rankUnit = 65_536;

/**
 * How narrow a pattern is: a text without `*` is narrower than any pattern, then the longer literal beginning counts,
 * then the number of literal characters. `*` alone has rank 0.
 */
export function globRank(pattern: string): number {
  const star = pattern.indexOf('*');
  if (star < 0) return Number.POSITIVE_INFINITY;
  return star * rankUnit + pattern.replaceAll('*', '').length;
}
