import { s3Error } from '../s3/s3-error.ts';
import type { ConditionalWrite } from '../store/quirks.ts';
import type { BucketRequest } from './gateway.ts';

/** As much of a request as the check needs. */
interface QuirkRequest extends Pick<BucketRequest, 'headers'> {
  readonly backend: Pick<BucketRequest['backend'], 'quirks'>;
}

const conditionHeaders = ['if-match', 'if-none-match'] as const;

/** A copy between policies is a put at the backend; conditions of a copy within it are evaluated by the gateway. */
const backendWrites: Readonly<Record<string, readonly ConditionalWrite[]>> = {
  PutObject: ['PutObject'],
  CopyObject: ['PutObject'],
  CompleteMultipartUpload: ['CompleteMultipartUpload'],
  DeleteObject: ['DeleteObject'],
};

/**
 * Refuses a conditional write that the backend would do whether or not its condition holds: whoever sends a condition
 * relies on it.
 * @throws S3Error NotImplemented
 */
export function requireConditions({ backend, headers }: QuirkRequest, operation: string): void {
  const { ignoresConditions } = backend.quirks;
  if (!(backendWrites[operation] ?? []).some((write) => ignoresConditions.includes(write))) return;
  const header = conditionHeaders.find((name) => headers[name] !== undefined);
  if (header === undefined) return;
  throw s3Error('NotImplemented', `The storage backend of this bucket does not evaluate conditions of ${operation}.`, {
    details: { Header: header },
  });
}
