import { userInfo } from 'node:os';

import { messageOf } from '../base/message-of.ts';
import type { AuditEvent, AuditEventFields } from '../audit/audit-event.ts';
import type { AuditTrail, AuditWritten } from '../audit/audit-trail.ts';
import { errorCodeOf, type CanaryMismatch, KeyAudit } from '../audit/key-audit.ts';
import { openAudit } from '../audit/open-audit.ts';
import type { Settings } from '../config/settings.ts';
import { printable, type CliIo } from './cli-io.ts';
import { exitCode } from './exit-code.ts';
import type { DecryptSummary } from './offline/decrypt-run.ts';
import type { RewrapReport } from './rewrap/rewrap-report.ts';

/** Who runs the command. */
interface CommandActor {
  readonly actor: 'cli';
  readonly actor_name: string;
}

/** An event of a command. */
export type CommandEvent = AuditEvent extends infer Event
  ? Event extends AuditEvent
    ? Unsigned<Event>
    : never
  : never;

type Unsigned<Event> = Omit<Event, 'actor' | 'actor_name' | 'remote_address' | 'request_id'>;

/** What begins, and how its end is told. */
export interface AuditedStep<Result> {
  readonly started: CommandEvent;
  readonly finished: (result: Result) => CommandEvent;
  readonly failed: (error: { readonly error_code: string }) => CommandEvent;
}

/** The audit events of one command: where the configuration names sinks, and only there. */
export class CommandAudit implements AsyncDisposable {
  readonly #trail: AuditTrail;
  readonly #by: CommandActor;
  #isComplete = true;

  private constructor(trail: AuditTrail) {
    this.#trail = trail;
    this.#by = { actor: 'cli', actor_name: userName() };
  }

  /** @throws Error where a sink cannot be written to: before anything is done. */
  static async open(io: CliIo, { audit }: Pick<Settings, 'audit'>): Promise<CommandAudit> {
    const onWritten = ({ event, error }: AuditWritten): void => {
      if (error === undefined) return;
      io.err(`s3eg: ${printable(`the audit event ${event} was not written: ${messageOf(error)}`)}\n`);
    };
    // The report is on stdout.
    const stream = { kind: 'stderr', write: io.err } as const;
    return new CommandAudit(await openAudit(audit.sinks ?? [], { stream, onWritten }));
  }

  /**
   * Does what is to be recorded. It is not begun unless its beginning is recorded.
   * @throws Error then; else what `act` throws.
   */
  async step<Result>({ started, finished, failed }: AuditedStep<Result>, act: () => Promise<Result>): Promise<Result> {
    if (!(await this.record(started))) throw new Error('nothing was done, as its audit event could not be written');
    let result: Result;
    try {
      result = await act();
    } catch (error) {
      await this.record(failed({ error_code: errorCodeOf(error) }));
      throw error;
    }
    await this.record(finished(result));
    return result;
  }

  /** Whether every sink has the event. */
  async record(event: CommandEvent): Promise<boolean> {
    const isWritten = await this.#trail.record({ ...event, ...this.#by });
    this.#isComplete &&= isWritten;
    return isWritten;
  }

  /** A key does not fit a canary. */
  async canaryMismatch(mismatch: CanaryMismatch): Promise<void> {
    await new KeyAudit(this.#trail).canaryMismatch(mismatch, this.#by);
  }

  /** The exit code of a command that would give `code`: what was done and not recorded is a problem. */
  exitCode(code: number): number {
    return this.#isComplete || code !== exitCode.fine ? code : exitCode.foundProblems;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#trail[Symbol.asyncDispose]();
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // Containers run as users without a name.
    return String(process.getuid?.() ?? '');
  }
}

/** How the rotation of a key is told. */
export function rotationStep(key: string): AuditedStep<{ readonly previous: string | null; readonly current: string }> {
  const of = { key_name: key };
  return {
    started: { event: 'key_rotation_started', outcome: 'begun', ...of },
    finished: ({ previous, current }) => {
      const versions = { key_version: current, previous_version: previous ?? undefined };
      return { event: 'key_rotation_finished', outcome: 'ok', ...of, ...versions };
    },
    failed: (error) => ({ event: 'key_rotation_failed', outcome: 'failed', ...of, ...error }),
  };
}

/** How the retirement of a version is told. */
export function retirementStep(key: string, version: string): AuditedStep<void> {
  const of = { key_name: key, key_version: version };
  return {
    started: { event: 'key_retirement_started', outcome: 'begun', ...of },
    finished: () => ({ event: 'key_retirement_finished', outcome: 'ok', ...of }),
    failed: (error) => ({ event: 'key_retirement_failed', outcome: 'failed', ...of, ...error }),
  };
}

/** How the destruction of a version is told, with what was counted before. */
export function destructionStep(counted: AuditEventFields<'key_destruction_counted'>): AuditedStep<void> {
  const { key_name, key_version } = counted;
  return {
    started: { event: 'key_destruction_started', outcome: 'begun', ...counted },
    finished: () => ({ event: 'key_destruction_finished', outcome: 'ok', ...counted }),
    failed: (error) => ({ event: 'key_destruction_failed', outcome: 'failed', key_name, key_version, ...error }),
  };
}

/** How a rewrap of a bucket is told. */
export function rewrapStep(place: AuditEventFields<'rewrap_started'>): AuditedStep<RewrapReport> {
  return {
    started: { event: 'rewrap_started', outcome: 'begun', ...place },
    finished: ({ ok, outcomes, oldVersionsRewrapped: old_versions, locked, failed }) => {
      const counts = { rewrapped: outcomes.rewrapped, current: outcomes.current, old_versions, locked, failed };
      return { event: 'rewrap_finished', outcome: ok ? 'ok' : 'incomplete', ...place, ...counts };
    },
    failed: ({ error_code }) => {
      const outcome = error_code === 'AbortError' ? 'stopped' : 'failed';
      return { event: 'rewrap_failed', outcome, ...place, error_code };
    },
  };
}

/** How a decryption with the recovery key is told; `isStopped` tells at its end whether a signal ended it. */
export function recoveryStep(bucket: string, isStopped: () => boolean): AuditedStep<DecryptSummary> {
  return {
    started: { event: 'recovery_started', outcome: 'begun', bucket },
    finished: ({ decrypted: objects, plaintextBytes: bytes, failures: { length: failed } }) => {
      const outcome = isStopped() ? 'stopped' : failed === 0 ? 'ok' : 'incomplete';
      return { event: 'recovery_finished', outcome, bucket, objects, bytes, failed };
    },
    failed: (error) => ({ event: 'recovery_failed', outcome: 'failed', bucket, ...error }),
  };
}
