/** A small part of a large object: how long it takes, and what it asks of the server behind the gateway. */
import { startGateway } from '../gateway.ts';
import { measure, type Load } from '../measure.ts';
import { startRelay } from '../relay-process.ts';
import { subject, type Sample } from '../results.ts';
import { yardsticks, folderOf, interleaved, startPair, store, type Bench, type Scenario } from '../scenario.ts';
import type { Target } from '../target.ts';

const name = '64 KiB range of 1 GiB';

/** Requests one after the other, so that a request's time is not that of others. */
export const range: Scenario = {
  name: 'range',
  loads: [name],
  async run(bench) {
    const load = rangeLoad(bench.isQuick ? 300 : 1000);
    const [minio, gateway, ...more] = await startPair(bench);
    const others = [...more, ...(await yardsticks(bench, minio))];
    for (const target of [minio, gateway, ...others]) {
      await store(target, load, { verify: false });
      await measure(target, rangeLoad(200), 0);
    }
    const samples = await interleaved(bench, [load], [minio, gateway, ...others]);
    await gateway.stop();
    return [...samples, await backendRequests(bench, minio, gateway)];
  },
};

function rangeLoad(requests: number): Load {
  const job = { objectBytes: 2 ** 30, rangeBytes: 65_536, connections: 1, keys: 1, requests };
  return { name, job: { ...job, method: 'GET', signedPayload: false, verify: false } };
}

/** Counts on the wire, with the same gateway started anew so that it knows nothing of the object. */
async function backendRequests(bench: Bench, minio: Target, stored: Target): Promise<Sample> {
  const relay = await startRelay({ host: minio.host, port: minio.port, delayMs: 0 });
  bench.stopAtEnd(relay);
  const backend = { ...minio, host: relay.host, port: relay.port };
  const gateway = await startGateway(folderOf(bench, subject), { name: subject, backend });
  bench.stopAtEnd(gateway);
  const count = async (requests: number): Promise<number> => {
    const before = await relay.requests();
    await measure({ ...gateway, bucket: stored.bucket }, rangeLoad(requests), 0);
    return ((await relay.requests()) - before) / requests;
  };
  const figures = { firstBackendRequests: await count(1), backendRequests: await count(100) };
  return { load: name, target: subject, round: bench.rounds + 1, figures };
}
