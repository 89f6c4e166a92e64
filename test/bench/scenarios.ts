import type { Scenario } from './scenario.ts';
import { core } from './scenarios/core.ts';
import { firstByte } from './scenarios/first-byte.ts';
import { range } from './scenarios/range.ts';
import { listing } from './scenarios/listing.ts';
import { segments, segmentsEmbedded } from './scenarios/segments.ts';
import { singleStream } from './scenarios/single-stream.ts';
import { soak } from './scenarios/soak.ts';
import { streamScenario } from './scenarios/streams.ts';
import { throughput } from './scenarios/throughput.ts';

/** Every scenario, in the order in which they run. */
export const scenarios: readonly Scenario[] = [
  core,
  range,
  firstByte,
  throughput,
  singleStream,
  streamScenario,
  listing,
  segments,
  segmentsEmbedded,
  soak,
];

/**
 * Which loads `--only` means: the names of scenarios, or parts of the names of loads, in any case and with commas between
 * them; without it everything but what takes long; with `all` everything.
 * @throws Error where a part means nothing
 */
export function choose(
  only: string | undefined,
  all: readonly Scenario[] = scenarios,
): ReadonlyMap<Scenario, readonly string[]> {
  if (only === undefined) return whole(all.filter(({ isLong = false }) => !isLong));
  if (only === 'all') return whole(all);
  // Names of loads have commas in them too.
  const isName = all.some(({ loads }) => loads.some((load) => load.toLowerCase() === only.toLowerCase()));
  const parts = (isName ? [only] : only.split(',')).map((part) => part.trim().toLowerCase());
  for (const part of parts) {
    if (!all.some((scenario) => chosenBy([part], scenario).length > 0))
      throw new Error(`${part} is no load: ${names(all)}`);
  }
  const chosen = all.map((scenario) => [scenario, chosenBy(parts, scenario)] as const);
  return new Map(chosen.filter(([, loads]) => loads.length > 0));
}

/** The name of a scenario means that one alone, though it may be part of the name of a load elsewhere. */
function chosenBy(parts: readonly string[], { name, loads }: Scenario): readonly string[] {
  return parts.includes(name) ? loads : loads.filter((load) => parts.some((part) => isPartOf(part, load)));
}

function isPartOf(part: string, load: string): boolean {
  return part !== '' && !scenarios.some(({ name }) => name === part) && load.toLowerCase().includes(part);
}

function whole(chosen: readonly Scenario[]): ReadonlyMap<Scenario, readonly string[]> {
  return new Map(chosen.map((scenario) => [scenario, scenario.loads]));
}

function names(all: readonly Scenario[]): string {
  return `choose from ${all.flatMap(({ name, loads }) => [name, ...loads]).join('; ')}`;
}
