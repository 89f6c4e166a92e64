import { isIgnoredParameter } from './operation-table.ts';
import { s3Error, type S3Error } from './s3-error.ts';
import type { QueryParameter } from './uri-encoding.ts';

/** A request by what it means, wherever its `x-amz-*` fields stood. */
export interface LiftedRequest {
  readonly query: readonly QueryParameter[];
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/**
 * SDKs that presign (AWS SDK for JavaScript v3) put headers such as `x-amz-meta-colour` into the query, where the
 * signature covers them as well, so that whoever uses the URL need not send them. S3 takes them for the headers.
 * For presigned requests whose signature was verified; parameters that S3 passes over stay where they are.
 * @throws S3Error InvalidArgument for one that is given twice, also as a header with another value, or that no header can
 * carry.
 */
export function liftHoistedHeaders({ query, headers }: LiftedRequest): LiftedRequest {
  const hoisted = query.filter(isHoisted);
  if (hoisted.length === 0) return { query, headers };
  const lifted: Record<string, string | undefined> = { ...headers };
  const seen = new Set<string>();
  for (const { name, value } of hoisted) {
    const header = name.toLowerCase();
    // Header values are bytes as Latin-1 text; those of S3 are UTF-8.
    const text = Buffer.from(value).toString('latin1');
    const isTwice = seen.has(header) || (headers[header] ?? text) !== text;
    // oxlint-disable-next-line no-control-regex
    if (isTwice || !/^[!#$%&'*+.^_`|~\da-z-]+$/.test(header) || /[\u0000-\u001f\u007f]/.test(text)) throw invalid(name);
    seen.add(header);
    lifted[header] = text;
  }
  return { query: query.filter((parameter) => !isHoisted(parameter)), headers: lifted };
}

function isHoisted({ name }: QueryParameter): boolean {
  return /^x-amz-/i.test(name) && !isIgnoredParameter(name);
}

function invalid(name: string): S3Error {
  const shown = name.slice(0, 100);
  return s3Error('InvalidArgument', `The query parameter ${shown} cannot stand for a header.`, {
    details: { ArgumentName: shown },
  });
}
