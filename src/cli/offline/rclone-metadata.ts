/** Metadata as `rclone lsjson --metadata` shows it: user metadata and what rclone makes of header fields in one map. */

/** Names that rclone gives to header fields and to its own findings (rclone.org/s3, "Metadata"). */
const systemNames = new Set([
  'btime',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'tier',
]);

const rfc3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/**
 * Header fields as they are stored, as far as rclone's map tells: it leaves out `md5chksum`, and rewrites `mtime`, which is
 * put back into the form that rclone stores.
 */
export function rcloneHeaders(metadata: Readonly<Record<string, unknown>>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') continue;
    const lower = name.toLowerCase();
    if (lower === 'content-type') headers[lower] = value;
    else if (lower === 'mtime') headers['x-amz-meta-mtime'] = unixTime(value) ?? value;
    else if (!systemNames.has(lower)) headers[`x-amz-meta-${lower}`] = value;
  }
  return headers;
}

/** Seconds since 1970 with as many decimals as there are, such as `1700000000.123`; undefined for no RFC 3339 time. */
function unixTime(text: string): string | undefined {
  const [, toSecond, fraction = '', zone] = rfc3339.exec(text) ?? [];
  if (toSecond === undefined || zone === undefined) return undefined;
  const seconds = Date.parse(`${toSecond}${zone}`) / 1000;
  const decimals = fraction.replace(/0+$/, '');
  // Before 1970 the fraction counts the other way; rclone's own form of it is not known here.
  if (!Number.isSafeInteger(seconds) || seconds < 0) return undefined;
  return decimals === '' ? String(seconds) : `${seconds}.${decimals}`;
}
