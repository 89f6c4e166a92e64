/** Copies. */
import assert from 'node:assert/strict';

import { digest } from '../../interop/support/workspace.ts';
import { fresh, refused, type Case } from '../support/case.ts';

/** Copies of objects, within a bucket and onto themselves. */
export const copyCases: readonly Case[] = [
  {
    name: 'copies, with its metadata and with other metadata',
    needs: ['copies'],
    async run({ client, bucket }) {
      const bytes = fresh(150_000);
      await client.put(bucket, 'from é', bytes, { Metadata: { colour: 'blue' } });
      const copy = { Bucket: bucket, CopySource: { Bucket: bucket, Key: 'from é' } };
      await client.call('copy_object', { ...copy, Key: 'copy-1' });
      const replaced = { MetadataDirective: 'REPLACE', Metadata: { colour: 'red' } };
      await client.call('copy_object', { ...copy, Key: 'copy-2', ...replaced });
      for (const [key, colour] of [['copy-1', 'blue'] as const, ['copy-2', 'red'] as const]) {
        const { Body, Metadata } = await client.get(bucket, key);
        assert.deepEqual([Body.sha256, Metadata], [digest(bytes), { colour }]);
      }
      await refused(
        client.call('copy_object', { ...copy, Key: 'copy-3', CopySourceIfMatch: '"0-0"' }),
        'PreconditionFailed',
        412,
      );
    },
  },
  {
    name: 'replaces metadata in place',
    needs: ['selfCopies'],
    async run({ client, bucket }) {
      const bytes = fresh(1000);
      await client.put(bucket, 'self', bytes, { Metadata: { colour: 'blue' } });
      await client.call('copy_object', {
        Bucket: bucket,
        Key: 'self',
        CopySource: { Bucket: bucket, Key: 'self' },
        MetadataDirective: 'REPLACE',
        Metadata: { colour: 'red' },
      });
      const { Body, Metadata } = await client.get(bucket, 'self');
      assert.deepEqual([Body.sha256, Metadata], [digest(bytes), { colour: 'red' }]);
    },
  },
  {
    name: 'evaluates conditions on the destination of a copy',
    // The gateway evaluates them itself.
    async run({ client, bucket }) {
      await client.put(bucket, 'c-from', fresh(10));
      const copy = { Bucket: bucket, Key: 'c-to', CopySource: { Bucket: bucket, Key: 'c-from' }, IfNoneMatch: '*' };
      await client.call('copy_object', copy);
      await refused(client.call('copy_object', copy), 'PreconditionFailed', 412);
    },
  },
];
