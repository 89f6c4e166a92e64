/** One large stream: how fast it is when other cores are idle, and bound to one core. */
import type { GatewayOptions } from '../gateway.ts';
import type { Load } from '../measure.ts';
import { startMemoryServer } from '../memory-server-process.ts';
import { canRun } from '../programs.ts';
import { oneCore, subject, type Sample } from '../results.ts';
import { interleaved, shareKeys, startSubject, store, type Bench, type Scenario } from '../scenario.ts';
import type { Target } from '../target.ts';

const objectBytes = 2 ** 30;

/** So that the cipher is what limits the stream, as it is on a machine whose CPU has no instructions for it. */
const inSoftware = 'crypto: { hardware: off, suite: aes-256-gcm }';

interface Phase {
  readonly loads: readonly Load[];
  readonly settings?: string;
}

const phases: readonly Phase[] = [
  { loads: loadsOf('') },
  { loads: loadsOf(', AES in software'), settings: inSoftware },
];

function loadsOf(suffix: string): readonly Load[] {
  const job = { objectBytes, connections: 1, requests: 1, keys: 1, signedPayload: false, verify: false };
  return [
    { name: `one upload of 1 GiB${suffix}`, job: { ...job, method: 'PUT' } },
    { name: `one download of 1 GiB${suffix}`, job: { ...job, method: 'GET' } },
  ];
}

/** In front of a server that costs little, so that the gateway has the cores. */
export const singleStream: Scenario = {
  name: 'single-stream',
  loads: phases.flatMap(({ loads }) => loads.map(({ name }) => name)),
  async run(bench) {
    const samples: Sample[] = [];
    for (const { loads, settings } of phases) {
      const wanted = loads.filter(({ name }) => bench.isWanted(name));
      if (wanted.length > 0) samples.push(...(await runPhase(bench, { loads: wanted, ...(settings && { settings }) })));
    }
    return samples;
  },
};

async function runPhase(bench: Bench, { loads, settings }: Phase): Promise<readonly Sample[]> {
  const backend = await startMemoryServer({ keptBytes: 3.5 * objectBytes });
  bench.stopAtEnd(backend);
  const gateways: Target[] = [];
  for (const options of variants(bench)) {
    if (gateways.length > 0) shareKeys(bench, subject, options.name);
    gateways.push(await startSubject(bench, { ...options, backend, ...(settings === undefined ? {} : { settings }) }));
  }
  const [first] = loads;
  for (const gateway of gateways) if (first !== undefined) await store(gateway, first, { verify: false });
  const samples = await interleaved(bench, loads, gateways);
  for (const server of [...gateways, backend]) await server.stop();
  return samples;
}

function variants(bench: Bench): readonly Omit<GatewayOptions, 'backend'>[] {
  const others = bench.against === undefined ? [] : [bench.against];
  if (!canRun('taskset', '--version')) {
    bench.progress('taskset (util-linux) is not there to bind a gateway to one core: no ratio');
    return [{ name: subject }, ...others];
  }
  return [{ name: subject }, { name: oneCore, prefix: ['taskset', '--cpu-list', '0'] }, ...others];
}
