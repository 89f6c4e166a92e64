import { CodedError } from '../base/coded-error.ts';
import { globMatch, globRank, globsIntersect } from './glob.ts';
import type { Policy } from './policy.ts';

/** Why a set of policies is refused. */
export type PolicyErrorCode =
  | 'duplicate_name' // two policies have one name
  | 'tie'; // a request could match two policies equally well

/** A set of policies that gives no single decision; names the policies. */
export class PolicyError extends CodedError<PolicyErrorCode> {
  readonly policies: readonly [string, string];

  constructor(code: PolicyErrorCode, message: string, policies: readonly [string, string]) {
    super(code, message);
    this.policies = policies;
  }
}

/** What a policy is chosen by. */
export interface PolicyQuery {
  readonly bucket: string;
  /** The object's key; for a listing its prefix; empty for the bucket as a whole. */
  readonly key: string;
  readonly accessKeyId: string;
}

/** One pattern with its rank; higher is narrower. */
interface Pattern {
  readonly text: string;
  readonly rank: number;
}

/** What a set needs to know of a policy. */
type Matching = Pick<Policy, 'name' | 'match'>;

/** One bucket pattern of a policy, with the policy's other conditions. */
interface Rule<Entry extends Matching = Matching> {
  readonly policy: Entry;
  readonly bucket: Pattern;
  readonly prefixes: readonly Pattern[];
  readonly accessKeys: readonly Pattern[];
}

/** An empty list matches everything, exactly as `*` does. */
function patternsOf(texts: readonly string[]): readonly Pattern[] {
  const patterns = texts.map((text) => ({ text, rank: globRank(text) }));
  return patterns.length === 0 ? [{ text: '*', rank: 0 }] : patterns.toSorted((a, b) => b.rank - a.rank);
}

/** A prefix is the pattern `prefix*`, so no prefix is exact: the longer one is narrower. */
function prefixPatternsOf(prefixes: readonly string[]): readonly Pattern[] {
  return patternsOf(prefixes.map((prefix) => `${prefix}*`));
}

function bestRank(patterns: readonly Pattern[], text: string): number | undefined {
  return patterns.find((pattern) => globMatch(pattern.text, text))?.rank;
}

function tiePattern(left: readonly Pattern[], right: readonly Pattern[]): boolean {
  return left.some((a) => right.some((b) => a.rank === b.rank && globsIntersect(a.text, b.text)));
}

/**
 * The policies of a gateway and the one decision that they give for a request. The narrowest wins: by bucket, then by
 * prefix, then by access key. A set in which two policies could win at once cannot be made.
 */
export class PolicySet<Entry extends Matching = Policy> {
  /** Rules on one bucket by its name, and all others, narrowest bucket first. */
  readonly #exact = new Map<string, Rule<Entry>[]>();
  readonly #patterns: readonly Rule<Entry>[];
  readonly #policies: readonly Entry[];

  /** @throws PolicyError when two policies share a name or could win at once. */
  static of<Entry extends Matching>(policies: readonly Entry[]): PolicySet<Entry> {
    return new PolicySet(policies);
  }

  private constructor(policies: readonly Entry[]) {
    this.#policies = policies;
    const rules = policies.flatMap((policy) => rulesOf(policy));
    refuseAmbiguity(policies, rules);
    for (const rule of rules) {
      if (rule.bucket.rank !== Number.POSITIVE_INFINITY) continue;
      const others = this.#exact.get(rule.bucket.text);
      if (others === undefined) this.#exact.set(rule.bucket.text, [rule]);
      else others.push(rule);
    }
    this.#patterns = rules
      .filter(({ bucket }) => bucket.rank !== Number.POSITIVE_INFINITY)
      .toSorted((a, b) => b.bucket.rank - a.bucket.rank);
  }

  /** All policies, in the order given. */
  get policies(): readonly Entry[] {
    return this.#policies;
  }

  /** The policy for a request; undefined where none matches. */
  decide(query: PolicyQuery): Entry | undefined {
    return narrowest(this.#exact.get(query.bucket) ?? [], query) ?? narrowest(this.#patterns, query);
  }
}

function rulesOf<Entry extends Matching>(policy: Entry): Rule<Entry>[] {
  const prefixes = prefixPatternsOf(policy.match.prefixes);
  const accessKeys = patternsOf(policy.match.accessKeys);
  return patternsOf(policy.match.buckets).map((bucket) => ({ policy, bucket, prefixes, accessKeys }));
}

/** The best of the rules, which come with the narrowest bucket first. */
function narrowest<Entry extends Matching>(rules: readonly Rule<Entry>[], query: PolicyQuery): Entry | undefined {
  let best: { rule: Rule<Entry>; prefixRank: number; accessKeyRank: number } | undefined;
  for (const rule of rules) {
    if (best !== undefined && rule.bucket.rank < best.rule.bucket.rank) break;
    if (!globMatch(rule.bucket.text, query.bucket)) continue;
    const prefixRank = bestRank(rule.prefixes, query.key);
    const accessKeyRank = bestRank(rule.accessKeys, query.accessKeyId);
    if (prefixRank === undefined || accessKeyRank === undefined) continue;
    const wins =
      best === undefined ||
      prefixRank > best.prefixRank ||
      (prefixRank === best.prefixRank && accessKeyRank > best.accessKeyRank);
    if (wins) best = { rule, prefixRank, accessKeyRank };
  }
  return best?.rule.policy;
}

function refuseAmbiguity(policies: readonly Matching[], rules: readonly Rule[]): void {
  const names = new Set<string>();
  for (const { name } of policies) {
    if (names.has(name)) throw new PolicyError('duplicate_name', `two policies are called "${name}"`, [name, name]);
    names.add(name);
  }
  for (const [index, left] of rules.entries()) {
    for (const right of rules.slice(index + 1)) {
      if (left.policy === right.policy || !mayTie(left, right)) continue;
      const pair = [left.policy.name, right.policy.name] as const;
      throw new PolicyError(
        'tie',
        `policies "${pair[0]}" and "${pair[1]}" match the same requests equally well (bucket "${left.bucket.text}" ` +
          `and "${right.bucket.text}"): narrow the buckets, prefixes or access keys of one of them`,
        pair,
      );
    }
  }
}

function mayTie(left: Rule, right: Rule): boolean {
  return (
    tiePattern([left.bucket], [right.bucket]) &&
    tiePattern(left.prefixes, right.prefixes) &&
    tiePattern(left.accessKeys, right.accessKeys)
  );
}
