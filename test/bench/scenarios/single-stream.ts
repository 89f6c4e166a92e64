/** One large stream: how fast it is when other cores are idle, and bound to one core. */
import { measure, type Load } from '../measure.ts';
import { startMemoryServer } from '../memory-server-process.ts';
import { canRun } from '../programs.ts';
import { oneCore, subject } from '../results.ts';
import { interleaved, shareKeys, startSubject, store, type Scenario } from '../scenario.ts';

const objectBytes = 2 ** 30;

function load(name: string, method: 'GET' | 'PUT'): Load {
  return {
    name,
    job: { objectBytes, connections: 1, requests: 1, keys: 1, method, signedPayload: false, verify: false },
  };
}

const loads = [load('one upload of 1 GiB', 'PUT'), load('one download of 1 GiB', 'GET')];

/** In front of a server that costs little, so that the gateway has the cores. */
export const singleStream: Scenario = {
  name: 'single-stream',
  loads: loads.map(({ name }) => name),
  async run(bench) {
    const backend = await startMemoryServer({ keptBytes: 2.5 * objectBytes });
    bench.stopAtEnd(backend);
    const gateways = [await startSubject(bench, { name: subject, backend })];
    const prefix = ['taskset', '--cpu-list', '0'];
    if (canRun('taskset', '--version')) {
      shareKeys(bench, subject, oneCore);
      gateways.push(await startSubject(bench, { name: oneCore, backend, prefix }));
    } else bench.progress('taskset (util-linux) is not there to bind a gateway to one core: no ratio');
    for (const gateway of gateways) await store(gateway, loads[0] ?? load('', 'PUT'), { verify: false });
    for (const gateway of gateways) for (const one of loads) await measure(gateway, one, 0);
    return await interleaved(
      bench,
      loads.filter(({ name }) => bench.isWanted(name)),
      gateways,
    );
  },
};
