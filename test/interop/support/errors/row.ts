/** One request, as a rule one that must be refused as S3 refuses it. */
import type { Call, Stage } from './stage.ts';

/** A row of the table. */
export interface ErrorRow {
  /** Unique within its group. */
  readonly name: string;
  readonly call: Call | ((stage: Stage) => Call);
  /** Asked only in front of a backend that has versions and locks. */
  readonly needsVersions?: boolean;
}
