import { mustNotHold, type ProbeClient } from './probe.ts';
import { startProbeUpload } from './upload-probes.ts';

/** The form of an ETag, of no object. */
const otherEtag = '"00000000000000000000000000000000"';

/** If-Match and If-None-Match of GET. */
export async function probeConditionalReads(client: ProbeClient): Promise<void> {
  const { etag } = await client.put('read', 'read');
  await client.get('read', { conditions: { ifMatch: etag } });
  await mustNotHold('If-Match', client.get('read', { conditions: { ifMatch: otherEtag } }));
  await mustNotHold('If-None-Match', client.get('read', { conditions: { ifNoneMatch: etag } }));
}

/** If-None-Match: * of PutObject. */
export async function probeConditionalCreations(client: ProbeClient): Promise<void> {
  await client.put('create', 'first', { conditions: { ifNoneMatch: '*' } });
  await mustNotHold('If-None-Match', client.put('create', 'second', { conditions: { ifNoneMatch: '*' } }));
}

/** If-Match of PutObject. */
export async function probeConditionalReplacements(client: ProbeClient): Promise<void> {
  const { etag } = await client.put('replace', 'first');
  await mustNotHold('If-Match', client.put('replace', 'second', { conditions: { ifMatch: otherEtag } }));
  await client.put('replace', 'third', { conditions: { ifMatch: etag } });
}

/** If-None-Match: * of CopyObject, about the destination. */
export async function probeConditionalCopies(client: ProbeClient): Promise<void> {
  await client.put('copy-from', 'from');
  const copy = (name: string): Promise<unknown> =>
    client.store.copyObject(
      {
        ...client.at(name),
        source: client.at('copy-from'),
        metadata: 'COPY',
        tags: 'COPY',
        headers: {},
        conditions: { ifNoneMatch: '*' },
      },
      client.options,
    );
  await copy('copy-to');
  await mustNotHold('If-None-Match', copy('copy-to'));
}

/** x-amz-copy-source-if-match. */
export async function probeConditionalCopySources(client: ProbeClient): Promise<void> {
  const { etag } = await client.put('source', 'source');
  const copy = (ifMatch: string): Promise<unknown> =>
    client.store.copyObject(
      {
        ...client.at('source-copy'),
        source: client.at('source'),
        metadata: 'COPY',
        tags: 'COPY',
        headers: {},
        sourceConditions: { ifMatch },
      },
      client.options,
    );
  await copy(etag);
  await mustNotHold('x-amz-copy-source-if-match', copy(otherEtag));
}

/** If-None-Match: * of CompleteMultipartUpload. */
export async function probeConditionalCompletions(client: ProbeClient): Promise<void> {
  await client.put('completed', 'before');
  const { upload, part } = await startProbeUpload(client, 'completed');
  const completing = client.store.completeUpload(
    { ...upload, parts: [await part(1, 10)], conditions: { ifNoneMatch: '*' } },
    client.options,
  );
  await mustNotHold('If-None-Match', completing);
}

/** If-Match of DeleteObject. */
export async function probeConditionalDeletes(client: ProbeClient): Promise<void> {
  const { etag } = await client.put('delete', 'delete');
  const remove = (ifMatch: string): Promise<unknown> =>
    client.store.deleteObject({ ...client.at('delete'), conditions: { ifMatch } }, client.options);
  await mustNotHold('If-Match', remove(otherEtag));
  await remove(etag);
}
