/** Many large streams at once: the memory that they take. The server behind the gateway keeps one object, and no other. */
import { measure, type Load } from '../measure.ts';
import { startMemoryServer } from '../memory-server-process.ts';
import { subject, type Sample } from '../results.ts';
import { startSubject, store, type Scenario } from '../scenario.ts';

const objectBytes = 2 ** 30;
const streams = 64;

const job = { objectBytes, connections: streams, requests: streams, signedPayload: false, verify: false };
const loads: readonly Load[] = [
  { name: '64 downloads of 1 GiB', job: { ...job, keys: 1, method: 'GET' } },
  { name: '64 uploads of 1 GiB', job: { ...job, keys: streams, method: 'PUT' } },
];

/** Once each, as what counts is the peak. A load that takes longer than the time for loads is cut. */
export const streamScenario: Scenario = {
  name: 'streams',
  loads: loads.map(({ name }) => name),
  async run(bench) {
    const backend = await startMemoryServer({ keptBytes: 1.25 * objectBytes });
    bench.stopAtEnd(backend);
    const samples: Sample[] = [];
    const gateway = await startSubject(bench, { name: subject, backend });
    await store(gateway, { name: 'kept', job: { ...job, keys: 1, method: 'PUT' } }, { verify: false });
    for (const load of loads.filter(({ name }) => bench.isWanted(name))) {
      samples.push(await measure(gateway, load, 1));
      bench.progress(load.name);
    }
    return samples;
  },
};
