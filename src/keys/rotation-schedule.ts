import { Cron } from 'croner';

/** When a key is rotated: five fields of cron (minute, hour, day, month, day of the week), in UTC. */
export class RotationSchedule {
  readonly #cron: Cron;

  /** @throws RangeError for what is no such pattern, or never comes. */
  constructor(pattern: string) {
    try {
      // Names such as @daily are the library's own.
      if (pattern.startsWith('@')) throw new RangeError('not fields');
      // Paused: it is asked for times only, and keeps no timer.
      this.#cron = new Cron(pattern, { timezone: 'UTC', mode: '5-part', paused: true });
    } catch (error) {
      throw new RangeError(`"${pattern}" is not a schedule of five fields, such as "0 3 1 * *"`, { cause: error });
    }
    if (this.#cron.nextRun() === null) throw new RangeError(`"${pattern}" never comes`);
  }

  /** The first time after this one, in milliseconds since the epoch; undefined where there is none. */
  after(timeMs: number): number | undefined {
    return this.#cron.nextRun(new Date(timeMs))?.getTime();
  }
}
