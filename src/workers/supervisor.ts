import type { Socket } from 'node:net';

import type { Health } from '../base/health.ts';
import { mergeFamilies, RetiredMetrics } from '../telemetry/metric-merge.ts';
import type { MetricFamily } from '../telemetry/metrics.ts';
import type { WorkerState, WorkerTelemetry } from '../telemetry/worker-telemetry.ts';
import { BackOff, type BackOffOptions } from './back-off.ts';
import { Dispatch, type Receiver } from './dispatch.ts';
import type { WorkerOrder } from './messages.ts';
import { reasonOf, type StartWorkerProcess, type WorkerEnd, type WorkerProcess } from './worker-process.ts';

/** What a supervisor works with. */
export interface SupervisorOptions {
  readonly start: StartWorkerProcess;
  readonly telemetry: WorkerTelemetry;
  readonly backOff?: BackOffOptions;
  /** How long a worker that is replaced answers on idle connections; default 2 s. */
  readonly idleGraceMs?: number;
  /** Longest time that a worker may take to serve; default 60 s. */
  readonly startTimeoutMs?: number;
}

/** What all workers of one generation are. */
export type WorkerPlan = Omit<WorkerOrder, 'worker'>;

/** Beyond the drain timeout: for handlers that were cut off, and for a process to end. */
const endGraceMs = 10_000;
/** How old the totals of a worker that is killed may be. */
const refreshIntervalMs = 1_000;

/** One of the workers: the process that is it now, and when it failed. */
interface Seat {
  readonly worker: number;
  readonly backOff: BackOff;
  member?: Member;
  timer?: NodeJS.Timeout;
}

interface Member {
  readonly seat: Seat;
  readonly plan: WorkerPlan;
  readonly process: WorkerProcess;
  readonly receiver: Receiver;
  readonly startedMs: number;
  state: WorkerState;
}

/**
 * Keeps worker processes running: starts another one for each that crashes, after a wait that grows with every crash, and
 * replaces or ends them without a request that fails.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #dispatch = new Dispatch();
  readonly #seats = new Map<number, Seat>();
  /** Processes that are there, those that are being replaced among them. */
  readonly #members = new Set<Member>();
  readonly #retired = new RetiredMetrics();
  readonly #refresher: NodeJS.Timeout;
  #plan: WorkerPlan | undefined;
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#refresher = setInterval(() => void this.#refresh(false), refreshIntervalMs).unref();
  }

  /** Gives a connection, from which nothing has been read, to a worker. */
  give(socket: Socket): void {
    if (this.#stopping) socket.destroy();
    else this.#dispatch.give(socket);
  }

  /**
   * Starts all workers; resolves when all serve.
   * @throws Error with what the first one that cannot start says; none is left then.
   */
  async start(plan: WorkerPlan): Promise<void> {
    this.#plan = plan;
    const seats = Array.from({ length: plan.workers }, (_, index) => this.#seat(index + 1));
    try {
      await Promise.all(seats.map((seat) => this.#launch(seat, plan, { isTrial: true })));
    } catch (error) {
      this.#stopping = true;
      await this.#killAll();
      throw error;
    }
  }

  /**
   * Replaces the workers one after the other: each new one serves before an old one takes its last request.
   * @throws Error where the first new one does not start: it is all as it was then. Later ones are tried again like any that crash.
   */
  async replace(plan: WorkerPlan): Promise<void> {
    const { workers } = plan;
    await this.#tryOut(plan);
    for (let worker = 2; worker <= workers && !this.#stopping; worker += 1) {
      try {
        await this.#launch(this.#seat(worker), plan, { isTrial: false });
      } catch {
        // It is tried again as after any crash.
      }
    }
    await this.#vacate(workers);
  }

  /** Replaces the first worker; where the new one does not get to serve, the old one goes on. */
  async #tryOut(plan: WorkerPlan): Promise<void> {
    const seat = this.#seat(1);
    const old = { plan: this.#plan, member: seat.member };
    this.#plan = plan;
    try {
      await this.#launch(seat, plan, { isTrial: true });
    } catch (error) {
      this.#plan = old.plan;
      if (old.member !== undefined && this.#members.has(old.member)) seat.member = old.member;
      else this.#restartLater(seat, { ranMs: 0 });
      throw error;
    }
  }

  /** Ends all workers; running requests may end within the drain timeout. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#refresher);
    for (const seat of this.#seats.values()) clearTimeout(seat.timer);
    this.#dispatch.close();
    await Promise.all(Array.from(this.#members, (member) => this.#drain(member, 0)));
  }

  /** Lets all workers open the files of audit events anew. */
  reopenAudit(): void {
    for (const { process } of this.#members) process.reopenAudit();
  }

  /** Whether requests are served, and which workers do not. */
  health(): Health {
    const serving = new Set(
      Array.from(this.#members)
        .filter(({ state }) => state === 'serving')
        .map(({ seat }) => seat),
    );
    const missing = [...this.#seats.values()]
      .filter((seat) => !serving.has(seat))
      .map(({ worker, member }) => `worker ${worker} is ${member?.state ?? 'waiting to be started again'}`);
    return missing.length === 0 ? { ok: true } : { ok: serving.size > 0, reason: missing.join(', ') };
  }

  /** Metrics of all workers, of those that are gone too, as one. */
  async collect(): Promise<MetricFamily[]> {
    await this.#refresh(true);
    this.#options.telemetry.states(this.#states());
    return mergeFamilies([...Array.from(this.#members, ({ process }) => process.families), this.#retired.families]);
  }

  get #idleGraceMs(): number {
    return this.#options.idleGraceMs ?? 2000;
  }

  #seat(worker: number): Seat {
    const known = this.#seats.get(worker);
    if (known !== undefined) return known;
    const seat = { worker, backOff: new BackOff(this.#options.backOff) };
    this.#seats.set(worker, seat);
    return seat;
  }

  #states(): WorkerState[] {
    const waiting = Array.from(this.#seats.values()).filter(({ member }) => member === undefined);
    return [...Array.from(this.#members, ({ state }) => state), ...waiting.map(() => 'waiting' as const)];
  }

  async #refresh(isScrape: boolean): Promise<void> {
    await Promise.all(Array.from(this.#members, ({ process }) => process.refresh({ isScrape })));
  }

  /** Starts a process for a seat, and ends the one that had it once this one serves; where `isTrial`, one that does not get to serve is not replaced by another. */
  async #launch(seat: Seat, plan: WorkerPlan, { isTrial }: { readonly isTrial: boolean }): Promise<void> {
    clearTimeout(seat.timer);
    if (this.#stopping) throw new Error('the gateway is ending');
    const member = this.#begin(seat, plan);
    const tooLong = setTimeout(() => member.process.kill(), this.#options.startTimeoutMs ?? 60_000);
    void member.process.ended.then((end) => this.#ended(member, end, { isTrial }));
    try {
      await member.process.serving;
    } finally {
      clearTimeout(tooLong);
    }
    if (member.state !== 'starting') return;
    member.state = 'serving';
    this.#dispatch.add(member.receiver);
    this.#options.telemetry.serving({ worker: seat.worker, pid: member.process.pid });
    const others = [...this.#members].filter((other) => other.seat === seat && other.state === 'serving');
    await Promise.all(others.filter((other) => other !== member).map((other) => this.#drain(other, this.#idleGraceMs)));
  }

  #begin(seat: Seat, plan: WorkerPlan): Member {
    const receiver: Receiver = { send: (id, socket) => process.send(id, socket) };
    const process = this.#options.start(
      { ...plan, worker: seat.worker },
      {
        taken: (message) => this.#dispatch.taken(receiver, message),
        returned: (id) => this.#dispatch.returned(receiver, id),
      },
    );
    const member: Member = { seat, plan, process, receiver, startedMs: performance.now(), state: 'starting' };
    seat.member = member;
    this.#members.add(member);
    return member;
  }

  #ended(member: Member, end: WorkerEnd, { isTrial }: { readonly isTrial: boolean }): void {
    const { seat, process, state } = member;
    this.#members.delete(member);
    this.#dispatch.remove(member.receiver);
    this.#retired.add(process.families);
    const isCurrent = seat.member === member;
    if (isCurrent) delete seat.member;
    if (state === 'draining' || this.#stopping || (isTrial && state === 'starting')) return;
    if (this.#seats.get(seat.worker) !== seat) return;
    const ranMs = state === 'starting' ? 0 : performance.now() - member.startedMs;
    // One that is being replaced is not needed any more.
    const delayMs = isCurrent ? this.#restartLater(seat, { ranMs }) : 0;
    const cause = state === 'starting' ? 'start' : end.signal === null ? 'exit' : 'signal';
    this.#options.telemetry.crashed({
      worker: seat.worker,
      pid: process.pid,
      cause,
      reason: reasonOf(end),
      delayMs,
    });
  }

  #restartLater(seat: Seat, { ranMs }: { readonly ranMs: number }): number {
    const delayMs = seat.backOff.next(ranMs);
    seat.timer = setTimeout(() => {
      const plan = this.#plan;
      if (this.#stopping || plan === undefined || seat.member !== undefined) return;
      // A failure is seen to where the process ends.
      this.#launch(seat, plan, { isTrial: false }).catch(() => {});
    }, delayMs);
    return delayMs;
  }

  async #drain(member: Member, idleGraceMs: number): Promise<void> {
    member.state = 'draining';
    this.#dispatch.pause(member.receiver);
    member.process.drain({ idleGraceMs });
    const { drainTimeoutMs } = member.plan.settings.listen;
    const tooLong = setTimeout(
      () => {
        this.#options.telemetry.killed({ worker: member.seat.worker, pid: member.process.pid });
        member.process.kill();
      },
      drainTimeoutMs + idleGraceMs + endGraceMs,
    ).unref();
    await member.process.ended;
    clearTimeout(tooLong);
  }

  /** Ends the workers beyond a number. */
  async #vacate(workers: number): Promise<void> {
    for (const seat of [...this.#seats.values()].filter(({ worker }) => worker > workers)) {
      clearTimeout(seat.timer);
      this.#seats.delete(seat.worker);
      if (seat.member !== undefined) await this.#drain(seat.member, this.#idleGraceMs);
    }
  }

  async #killAll(): Promise<void> {
    clearInterval(this.#refresher);
    for (const { process } of this.#members) process.kill();
    await Promise.all(Array.from(this.#members, ({ process }) => process.ended));
  }
}
