/**
 * The gateway stores ciphertext, so the backend's ETag is not the MD5 of what the client sent, though it looks like one;
 * clients that compare (rclone, s3cmd, older SDKs) would call the object corrupt. An ETag with a part count they leave
 * alone: `"<32 hex>"` is shown as `"<32 hex>-0"`, a form that no backend makes, so that the way back is unambiguous.
 */
const md5Etag = /^"?([0-9a-f]{32})"?$/i;
const shownEtag = /^"?([0-9a-f]{32})-0"?$/i;

/** The ETag that clients see for a backend's ETag, everywhere the same: listings, HEAD, GET, writes. */
export function clientEtag(backendEtag: string): string {
  const [, hex] = md5Etag.exec(backendEtag) ?? [];
  return hex === undefined ? backendEtag : `"${hex}-0"`;
}

/**
 * The backend's ETag, quoted, for one that a client sends (quoted or not). Undefined for a bare MD5: the gateway never
 * shows one, so it names no state of an object, even where the ciphertext happens to have that MD5.
 */
export function backendEtag(clientEtag: string): string | undefined {
  if (md5Etag.test(clientEtag)) return undefined;
  const match = shownEtag.exec(clientEtag);
  return `"${match?.[1] ?? unquoted(clientEtag)}"`;
}

/**
 * The ETag that S3 itself gives an object: the MD5 of its bytes, or, with the number of parts behind it, the MD5 of the
 * MD5s of its parts.
 */
export function plaintextEtag(md5: Uint8Array, partCount?: number): string {
  const hex = Buffer.from(md5).toString('hex');
  return partCount === undefined ? `"${hex}"` : `"${hex}-${partCount}"`;
}

/** What `plaintextEtag` makes, without quotes; multipart ETags of backends look so too. */
const plaintextForm = /^[0-9a-f]{32}(?:-[1-9]\d{0,4})?$/i;

/** Whether a header with ETags has one in it that may be of plaintext. */
export function mayNamePlaintext(header: string): boolean {
  const entries = parseEntityTags(header);
  return entries !== '*' && entries.some(({ tag }) => plaintextForm.test(tag));
}

/** Whether an ETag is among those of a header, weak or strong. */
export function namesEntityTag(header: string, etag: string): boolean {
  const entries = parseEntityTags(header);
  return entries === '*' || entries.some(({ tag }) => tag === unquoted(etag));
}

/** The header with one ETag in it written as another, quoted one; weak ones stay weak. */
export function replaceEntityTag(header: string, from: string, to: string): string {
  const entries = parseEntityTags(header);
  if (entries === '*') return header;
  const [wanted, replacement] = [unquoted(from).toLowerCase(), unquoted(to)];
  return entries
    .map(({ tag, weak }) => `${weak ? 'W/' : ''}"${tag.toLowerCase() === wanted ? replacement : tag}"`)
    .join(', ');
}

/**
 * The ETag that a client gets for an uploaded part: the backend's with the attempt tag appended, and where the part has a
 * checksum, with the token by which the gateway recognises it.
 * @param attemptTagHex 16 hex digits, the first 8 bytes of the part's FLOE header tag.
 * @param checksumToken An odd number of hex digits, at least 25.
 */
export function partEtag(backendEtag: string, attemptTagHex: string, checksumToken?: string): string {
  const token = checksumToken === undefined ? '' : `-${checksumToken}`;
  return `"${unquoted(backendEtag)}-${attemptTagHex}${token}"`;
}

/**
 * A part's ETag with the token of the MD5 of its plaintext behind all else.
 * @param md5Token 48 hex digits.
 */
export function withMd5Token(partEtag: string, md5Token: string): string {
  return `"${unquoted(partEtag)}-m${md5Token}"`;
}

/** What a client's part ETag says; `attemptTag` (16 lower-case hex digits) is missing where it sent a bare ETag. */
export interface PartEtag {
  /** Quoted. */
  readonly backendEtag: string;
  readonly attemptTag?: string;
  /** Lower-case; only with an attempt tag. */
  readonly checksumToken?: string;
  /** Likewise. */
  readonly md5Token?: string;
}

/** Takes apart what `partEtag` and `withMd5Token` made; takes quoted and unquoted forms, as clients send both. */
export function parsePartEtag(etag: string): PartEtag {
  const bare = unquoted(etag);
  const match = /^(.+)-([0-9a-f]{16})(?:-((?:[0-9a-f]{2}){12,}[0-9a-f]))?(?:-m([0-9a-f]{48}))?$/is.exec(bare);
  const [, base, tag, token, md5Token] = match ?? [];
  if (base === undefined || tag === undefined) return { backendEtag: `"${bare}"` };
  return {
    backendEtag: `"${base}"`,
    attemptTag: tag.toLowerCase(),
    ...(token === undefined ? {} : { checksumToken: token.toLowerCase() }),
    ...(md5Token === undefined ? {} : { md5Token: md5Token.toLowerCase() }),
  };
}

/** One entry of If-Match or If-None-Match: `tag` without quotes. */
export interface EntityTag {
  readonly tag: string;
  readonly weak: boolean;
}

/** Reads an If-Match or If-None-Match header (RFC 9110 section 8.8.3); unquoted tags count too, as S3 takes them. */
export function parseEntityTags(header: string): '*' | readonly EntityTag[] {
  if (header.trim() === '*') return '*';
  const entries = header.match(/(?:"[^"]*"|[^,"])+/g) ?? [];
  return entries
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map((entry) => ({ tag: unquoted(entry.replace(/^W\//i, '')), weak: /^W\//i.test(entry) }));
}

/** Conditional headers; those with ETags in the client's or in the backend's form, those with dates are the same in both. */
interface EtagConditions {
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
  readonly ifModifiedSince?: string;
  readonly ifUnmodifiedSince?: string;
}

/** Stands for ETags that no object can have. */
const unmatchable = '"s3eg-never-matches"';

/**
 * Turns the client's ETag conditions into the backend's, which then evaluates them atomically. An ETag that cannot match
 * any object (a bare MD5, a weak one in If-Match) goes to the backend as one that never matches: leaving it out would
 * make `If-Match` with nothing else in it an unconditional write.
 */
export function mapConditions<Conditions extends EtagConditions>(conditions: Conditions): Conditions {
  const { ifMatch, ifNoneMatch } = conditions;
  return {
    ...conditions,
    ...(ifMatch === undefined ? {} : { ifMatch: mapEntityTags(ifMatch, (entry) => !entry.weak) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: mapEntityTags(ifNoneMatch, () => true) }),
  };
}

function mapEntityTags(header: string, mayMatch: (entry: EntityTag) => boolean): string {
  const entries = parseEntityTags(header);
  if (entries === '*') return '*';
  const mapped = entries
    .filter(mayMatch)
    .map((entry) => backendEtag(`"${entry.tag}"`))
    .filter((etag) => etag !== undefined);
  // Beside one that can match, one that cannot changes nothing, and many backends read a single ETag only.
  return mapped.length === 0 ? unmatchable : mapped.join(', ');
}

function unquoted(etag: string): string {
  return etag.length >= 2 && etag.startsWith('"') && etag.endsWith('"') ? etag.slice(1, -1) : etag;
}
