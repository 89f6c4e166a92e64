/** What goes through when the line to the server, and not the CPU, is the limit. */
import { measure, type Load } from '../measure.ts';
import { subject } from '../results.ts';
import { interleaved, startSubject, store, type Scenario } from '../scenario.ts';
import { startDistantMinio } from '../slow-link.ts';

const job = { objectBytes: 8 * 2 ** 20, connections: 16, keys: 16, signedPayload: false, verify: false };

function loads(requests: number): readonly Load[] {
  return [
    { name: 'slow line, 8 MiB PUT', job: { ...job, requests, method: 'PUT' } },
    { name: 'slow line, 8 MiB GET', job: { ...job, requests, method: 'GET' } },
  ];
}

/** Sixteen connections of whole objects, straight over the line and through the gateway in front of it. */
export const throughput: Scenario = {
  name: 'throughput',
  loads: loads(1).map(({ name }) => name),
  async run(bench) {
    const { minio } = await startDistantMinio(bench);
    const targets = [minio, await startSubject(bench, { name: subject, backend: minio })];
    const wanted = loads(bench.isQuick ? 48 : 96).filter(({ name }) => bench.isWanted(name));
    for (const target of targets) {
      for (const load of wanted.slice(0, 1)) await store(target, load);
      for (const load of wanted) await measure(target, { ...load, job: { ...load.job, requests: 16 } }, 0);
    }
    return await interleaved(bench, wanted, targets);
  },
};
