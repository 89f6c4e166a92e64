import { after, before } from 'node:test';

import { S3Client } from './client.ts';
import { Gateway, type GatewayOptions } from './gateway.ts';

/** A gateway and a client for all tests of a `describe`. */
export interface Suite {
  readonly gateway: Gateway;
  readonly s3: S3Client;
}

/** Starts a gateway before the tests of the surrounding `describe`, with buckets, and stops it after them. */
export function suiteWithGateway(buckets: readonly string[] = [], options: GatewayOptions = {}): Suite {
  let gateway: Gateway | undefined;
  let s3: S3Client | undefined;
  before(async () => {
    gateway = await Gateway.start(options);
    s3 = new S3Client(gateway);
    for (const bucket of buckets) await s3.createBucket(bucket);
  });
  after(async () => {
    s3?.[Symbol.dispose]();
    await gateway?.[Symbol.asyncDispose]();
  });
  return {
    get gateway() {
      if (gateway === undefined) throw new Error('not started yet');
      return gateway;
    },
    get s3() {
      if (s3 === undefined) throw new Error('not started yet');
      return s3;
    },
  };
}
