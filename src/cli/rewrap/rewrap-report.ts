import type { RewrapResult } from '../../maintenance/rewrap/rewrap-job.ts';
import { leftAt, type TakeUp } from '../../keys/take-up.ts';
import type { KeyVersion } from '../../maintenance/rewrap/object-rewrapper.ts';
import type { CopyGuard } from '../../maintenance/rewrap/self-copy.ts';
import type { RewrapFailure, RewrapTally, UnderVersion } from '../../maintenance/rewrap/tally.ts';
import { printable } from '../cli-io.ts';

/** A version of a key, and what it still protects. */
export interface VersionLeft extends UnderVersion {
  readonly isCurrent: boolean;
  /** Nothing is under it: everything was looked at, by a run that began when gateways had taken up the version after it. */
  readonly mayBeRetired: boolean;
  /**
   * Where nothing that was looked at is under it, and gateways may have written under it since: how many seconds after the
   * rotation a run must begin, and how many of them are left, if that is known.
   */
  readonly takeUp?: { readonly withinSeconds: number; readonly leftSeconds?: number };
}

/** What `--json` prints; documented in docs/rotation.md. */
export interface RewrapReport {
  readonly ok: boolean;
  readonly bucket: string;
  readonly backend: string;
  readonly dryRun: boolean;
  readonly outcomes: RewrapTally['outcomes'];
  readonly failed: number;
  readonly failures: readonly RewrapFailure[];
  readonly locked: number;
  readonly oldVersionsNotLookedAt: number;
  readonly oldVersionsRewrapped: number;
  readonly recordsRemoved: number;
  /** Whether old versions were rewrapped too. */
  readonly rewrapsVersions: boolean;
  /** How copies were guarded against writes that come in between; missing in a dry run. */
  readonly guard?: CopyGuard;
  readonly versions: readonly VersionLeft[];
}

/** What the key service and the settings say of a key. */
export interface KnownKey {
  /** The current one first. */
  readonly versions: readonly string[];
  /** By version; of those before the current one. */
  readonly takeUps: ReadonlyMap<string, TakeUp>;
}

/** What was looked at. */
export interface RewrapScope {
  readonly bucket: string;
  readonly backend: string;
  readonly dryRun: boolean;
  /** Whether old versions were rewrapped too. */
  readonly rewrapsVersions: boolean;
  /** Whether it was the whole bucket. */
  readonly isWhole: boolean;
  /** The keys that are configured, by name. */
  readonly known: ReadonlyMap<string, KnownKey>;
  /** What a version belongs to and is taken out of use with. */
  readonly familyOf: (version: KeyVersion) => string;
}

/** Puts together what a run found and what the key services know. */
export function reportOf(scope: RewrapScope, { tally, startedMs, guard }: RewrapResult): RewrapReport {
  const { bucket, backend, dryRun, rewrapsVersions } = scope;
  const { outcomes, failed, failures, locked, oldVersionsNotLookedAt, oldVersionsRewrapped, recordsRemoved } = tally;
  return {
    ok: failed === 0 && outcomes.busy === 0,
    bucket,
    backend,
    dryRun,
    outcomes,
    failed,
    failures,
    locked,
    oldVersionsNotLookedAt,
    oldVersionsRewrapped,
    recordsRemoved,
    rewrapsVersions,
    ...(guard === undefined ? {} : { guard }),
    versions: versionsLeft(scope, tally, startedMs),
  };
}

function versionsLeft(scope: RewrapScope, tally: RewrapTally, startedMs: number): readonly VersionLeft[] {
  const { known, isWhole, familyOf } = scope;
  const isComplete = isWhole && tally.failed === 0 && tally.oldVersionsNotLookedAt === 0;
  const isCurrent = ({ keyName, keyVersion }: KeyVersion): boolean => known.get(keyName)?.versions[0] === keyVersion;
  // One that stands for its family is not free while another one of the family protects something.
  const isTogetherWith = (version: KeyVersion, other: KeyVersion): boolean =>
    version.keyName === other.keyName && familyOf(version) === familyOf(other);
  const all = Array.from(known, ([keyName, { versions }]) =>
    versions.map((keyVersion) => ({ keyName, keyVersion })),
  ).flat();
  const expected = all.filter(
    (version) =>
      isCurrent(version) ||
      !tally.under.some((entry) => isTogetherWith(version, entry)) ||
      tally.under.some((entry) => isSame(version, entry)),
  );
  const found = tally.under.filter((entry) => !expected.some((version) => isSame(version, entry)));
  return [...expected, ...found].map((version) => {
    const counts = tally.under.find((entry) => isSame(version, entry));
    const { objects = 0, oldVersions = 0, uploads = 0 } = counts ?? {};
    const isFree = objects + oldVersions + uploads === 0;
    const { keyName, keyVersion } = version;
    const counted = { keyName, keyVersion, isCurrent: isCurrent(version), objects, oldVersions, uploads };
    const takeUp = known.get(keyName)?.takeUps.get(keyVersion);
    if (isCurrent(version) || !isFree || !isComplete || takeUp === undefined)
      return { ...counted, mayBeRetired: false };
    return { ...counted, ...retirementOf(takeUp, startedMs) };
  });
}

function retirementOf(takeUp: TakeUp, startedMs: number): Pick<VersionLeft, 'mayBeRetired' | 'takeUp'> {
  if (leftAt(takeUp, startedMs) === 0) return { mayBeRetired: true };
  const leftMs = leftAt(takeUp, Date.now());
  const left = leftMs === undefined ? {} : { leftSeconds: Math.ceil(leftMs / 1000) };
  return { mayBeRetired: false, takeUp: { withinSeconds: Math.ceil(takeUp.withinMs / 1000), ...left } };
}

function isSame(one: KeyVersion, other: KeyVersion): boolean {
  return one.keyName === other.keyName && one.keyVersion === other.keyVersion;
}

/** The report for people. */
export function reportText(report: RewrapReport): string {
  const { outcomes, failed, guard, dryRun } = report;
  const counts = [
    `${dryRun ? 'Would rewrap' : 'Rewrapped'} ${objectsText(outcomes.rewrapped)}`,
    ...(outcomes.current === 0 ? [] : [`${outcomes.current} current already`]),
    ...(outcomes.other_key === 0 ? [] : [`${outcomes.other_key} under other keys or versions`]),
    ...(outcomes.not_encrypted === 0 ? [] : [`${outcomes.not_encrypted} not encrypted`]),
    ...(outcomes.gone === 0 ? [] : [`${outcomes.gone} deleted meanwhile`]),
    ...(outcomes.busy === 0 ? [] : [`${outcomes.busy} replaced again and again: run once more`]),
    ...(failed === 0 ? [] : [`${failed} failed`]),
  ];
  const lines = [
    `${counts.join(', ')}.`,
    ...oldVersionLines(report),
    ...(guard === 'complete' ? [inParts] : []),
    ...report.versions.map(versionText),
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

function oldVersionLines(report: RewrapReport): readonly string[] {
  const { locked, oldVersionsNotLookedAt, oldVersionsRewrapped, recordsRemoved, rewrapsVersions, dryRun } = report;
  const beside = rewrapsVersions ? 'has its new envelope beside it' : 'stays under its old key';
  const would = dryRun ? 'would get' : 'got';
  return [
    ...(locked === 0 ? [] : [`${objectsText(locked)} locked: the locked version ${beside}.`]),
    ...(oldVersionsRewrapped === 0
      ? []
      : [`${oldVersionsRewrapped} old versions ${would} a new envelope beside them.`]),
    ...(recordsRemoved === 0
      ? []
      : [`${recordsRemoved} envelopes beside versions that are gone ${dryRun ? 'would be' : 'were'} removed.`]),
    ...(oldVersionsNotLookedAt === 0
      ? []
      : [
          `${oldVersionsNotLookedAt} old versions were not looked at: --all-versions counts them, --rewrap-versions rewraps them.`,
        ]),
  ];
}

const inParts =
  'The backend had to copy the bytes of every object, as it guards a simple copy against no write (docs/rotation.md).';

function versionText(version: VersionLeft): string {
  const { keyName, keyVersion, isCurrent, objects, oldVersions, uploads, mayBeRetired, takeUp } = version;
  const also = [
    ...(oldVersions === 0 ? [] : [`${oldVersions} old versions`]),
    ...(uploads === 0 ? [] : [`${uploads} uploads in progress`]),
  ];
  const what = [objectsText(objects), ...also].join(', ');
  if (isCurrent) return `version ${keyVersion} of key ${keyName} is current and protects ${what}`;
  const retire = mayBeRetired ? ': it may be retired, where no other bucket has objects under it' : takeUpText(takeUp);
  return `version ${keyVersion} of key ${keyName} still protects ${what}${retire}`;
}

function takeUpText(takeUp: VersionLeft['takeUp']): string {
  if (takeUp === undefined) return '';
  const { withinSeconds, leftSeconds } = takeUp;
  if (leftSeconds === undefined) {
    const limit = `${withinSeconds} s`;
    return (
      `: it may be retired where the rotation was ${limit} before this run began, as gateways may write under it for so long, ` +
      'and no other bucket has objects under it; else run again'
    );
  }
  const when = leftSeconds === 0 ? 'now' : `in ${leftSeconds} s`;
  return `: gateways may have written under it since this run began: run again ${when}`;
}

function objectsText(count: number): string {
  return `${count} ${count === 1 ? 'object' : 'objects'}`;
}
