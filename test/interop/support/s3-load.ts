/** Small requests in numbers, by the end-to-end tests' own client: an SDK in another process would be the bottleneck. */
import { S3Client } from '../../e2e/support/client.ts';
import type { S3Response } from '../../e2e/support/response.ts';
import type { Gateway } from './gateway.ts';

/** A client of a gateway. */
export function loadClient({ access }: Gateway): S3Client {
  const { hostname: host, port } = new URL(access.endpoint);
  return new S3Client({ s3: { host, port: Number(port) } }, { credentials: access });
}

/** Does something for each number below `count`, `width` at a time. */
export async function inParallel(count: number, width: number, each: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await each(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** One answer, as short as it can be told. */
export function told({ status, headers, text }: S3Response): string {
  return `${status} ${headers['retry-after'] ?? ''} ${/<Code>(\w+)/.exec(text)?.[1] ?? ''}`.trim();
}
