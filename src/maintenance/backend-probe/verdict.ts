import type { ConditionalWrite, StoreQuirks } from '../../store/quirks.ts';
import { capabilities, type Capability, type CapabilityName } from './capabilities.ts';
import type { Finding } from './probe-backend.ts';

/** What the findings mean for a gateway with these settings. */
export interface Verdict {
  /** What has to be changed: it does not work, or does other than it says. */
  readonly problems: readonly string[];
  /** What could be changed. */
  readonly advice: readonly string[];
}

const ignores =
  (write: ConditionalWrite) =>
  ({ ignoresConditions }: StoreQuirks): boolean =>
    ignoresConditions.includes(write);

/** Which setting of `quirks` speaks about a capability, and whether it is set. */
const isSet: Partial<Record<CapabilityName, (quirks: StoreQuirks) => boolean>> = {
  partsOfAnySize: ({ equalPartSizes }) => equalPartSizes,
  conditionalCreations: ignores('PutObject'),
  conditionalReplacements: ignores('PutObject'),
  conditionalCompletions: ignores('CompleteMultipartUpload'),
  conditionalDeletes: ignores('DeleteObject'),
};

/** Judges findings; `section` is the path of the backend's section in the configuration. */
export function judge(findings: readonly Finding[], quirks: StoreQuirks, section: string): Verdict {
  const problems: string[] = [];
  const advice: string[] = [];
  for (const { capability, outcome, reason = outcome } of findings) {
    const { need, title, without, setting }: Capability = capabilities[capability];
    const set = isSet[capability]?.(quirks) ?? false;
    const fails = outcome === 'lacks' || outcome === 'ignored';
    if (need === 'required' && fails) problems.push(`${title}: ${reason}: ${without}`);
    if (setting === undefined) continue;
    // A refusal reaches the client as it is; only what is done wrongly has to be known beforehand.
    const mustBeSet = outcome === 'ignored' || (capability === 'partsOfAnySize' && outcome === 'lacks');
    if (mustBeSet && !set) problems.push(`${title}: ${reason}: set ${section}.quirks.${setting}`);
    if (outcome === 'works' && set) advice.push(`${title}: works: ${section}.quirks.${setting} is not needed`);
  }
  return { problems, advice };
}
