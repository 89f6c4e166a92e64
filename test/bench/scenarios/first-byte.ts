/** How long a GET takes until the first byte of the object is there. */
import { measure, type Load } from '../measure.ts';
import { yardsticks, interleaved, startPair, store, type Scenario } from '../scenario.ts';

const name = 'first byte of 1 MiB';

/** Requests one after the other for whole objects. */
export const firstByte: Scenario = {
  name: 'first-byte',
  loads: [name],
  async run(bench) {
    const load = firstByteLoad(bench.isQuick ? 300 : 1000);
    const [minio, ...gateways] = await startPair(bench);
    const targets = [minio, ...gateways, ...(await yardsticks(bench, minio))];
    for (const target of targets) {
      await store(target, load);
      await measure(target, firstByteLoad(200), 0);
    }
    return await interleaved(bench, [load], targets);
  },
};

function firstByteLoad(requests: number): Load {
  const job = { objectBytes: 2 ** 20, connections: 1, keys: 16, requests };
  return { name, job: { ...job, method: 'GET', signedPayload: false, verify: false } };
}
