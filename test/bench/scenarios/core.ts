/** What most requests are: whole objects, large and small, with the CPU they cost. */
import type { Load } from '../measure.ts';
import { measure } from '../measure.ts';
import { yardsticks, interleaved, startPair, startSubject, store, type Bench, type Scenario } from '../scenario.ts';
import type { Target } from '../target.ts';

const mebibyte = 2 ** 20;

/** Whole objects, large and small. */
export function coreLoads(isQuick: boolean): readonly Load[] {
  const large = { objectBytes: 32 * mebibyte, connections: 4, requests: isQuick ? 16 : 32, keys: 4, verify: false };
  const small = { objectBytes: 4096, connections: 8, requests: isQuick ? 2000 : 4000, keys: 64, verify: false };
  return [
    { name: '32 MiB PUT', job: { ...large, method: 'PUT', signedPayload: false } },
    { name: '32 MiB PUT, SHA-256 signed', job: { ...large, method: 'PUT', signedPayload: true } },
    { name: '32 MiB GET', job: { ...large, method: 'GET', signedPayload: false } },
    { name: '4 KiB PUT', job: { ...small, method: 'PUT', signedPayload: false } },
    { name: '4 KiB PUT, SHA-256 signed', job: { ...small, method: 'PUT', signedPayload: true } },
    { name: '4 KiB GET', job: { ...small, method: 'GET', signedPayload: false } },
  ];
}

/** Whole objects of 32 MiB and 4 KiB, on MinIO, the gateway in front of it, and the gateway with its embedded store. */
export const core: Scenario = {
  name: 'core',
  loads: coreLoads(true).map(({ name }) => name),
  async run(bench) {
    const loads = coreLoads(bench.isQuick).filter(({ name }) => bench.isWanted(name));
    const [minio, ...gateways] = await startPair(bench);
    const targets = [minio, ...gateways, ...(await yardsticks(bench, minio)), ...(await embedded(bench))];
    for (const target of targets) {
      for (const load of oneOfEachSize(loads)) await store(target, load);
      for (const load of loads) await measure(target, warmUp(load), 0);
    }
    bench.progress('core: warm');
    return await interleaved(bench, loads, targets);
  },
};

/** Not counted: what runs for the first time is compiled, which a server does once and not for each thousand requests. */
function warmUp({ name, job }: Load): Load {
  return { name, job: { ...job, requests: job.objectBytes > mebibyte ? 24 : 6000 } };
}

/** Left out where two checkouts are compared, for it takes a third of the time. */
async function embedded(bench: Bench): Promise<readonly Target[]> {
  if (bench.isQuick || bench.against?.checkout !== undefined) return [];
  const gateway = await startSubject(bench, { name: 'gateway, embedded store' });
  const runtime = bench.against?.runtime;
  if (runtime === undefined) return [gateway];
  return [gateway, await startSubject(bench, { name: `embedded store on ${runtime}`, runtime })];
}

function oneOfEachSize(loads: readonly Load[]): readonly Load[] {
  return [...new Map(loads.map((load) => [load.job.objectBytes, load])).values()];
}
