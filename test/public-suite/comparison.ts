/** A suite run on both ways at once, and what the two ways say of each test. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { startServer, type S3Access, type Server, type ServerName } from '../interop/support/backends.ts';
import { Gateway } from '../interop/support/gateway.ts';
import { run } from '../interop/support/processes.ts';
import { tools } from '../interop/support/tools.ts';
import type { Workspace } from '../interop/support/workspace.ts';
import type { Suite, TestCommand } from './suites.ts';

/** All tests of a suite together on one way; some wait ten seconds for a retention to end. */
const suiteTimeoutMs = 20 * 60_000;

/** Tests that run at the same time on each way: each lane has a server of its own, since they list all buckets. */
const lanesOfEachWay = 3;

/** How a test ended. */
interface Outcome {
  readonly name: string;
  readonly passed: boolean;
  /** Its own words, where it did not pass. */
  readonly reason: string;
}

type Outcomes = ReadonlyMap<string, Outcome>;

/** How each test ended on each way. */
export interface Comparison {
  readonly direct: Outcomes;
  readonly through: Outcomes;
}

/** A place where one test at a time runs, as public_suite.py reads it. */
interface Lane extends TestCommand {
  readonly server: S3Access;
  readonly root: string;
}

/** Servers of one kind, a part of them with a gateway in front, and a suite that runs against both. */
export class TwoWays {
  readonly #workspace: Workspace;
  readonly #suite: Suite;
  readonly #direct: readonly Lane[];
  readonly #through: readonly Lane[];

  private constructor(workspace: Workspace, suite: Suite, lanes: readonly { direct: Lane; through: Lane }[]) {
    this.#workspace = workspace;
    this.#suite = suite;
    this.#direct = lanes.map(({ direct }) => direct);
    this.#through = lanes.map(({ through }) => through);
  }

  /** Starts the servers and gateways; they end with the workspace. */
  static async start(suite: Suite, server: ServerName, workspace: Workspace): Promise<TwoWays> {
    const lanes = await Promise.all(
      Array.from({ length: lanesOfEachWay }, async () => ({
        direct: directLane(suite, await startServer(server, workspace)),
        through: await gatewayLane(suite, await startServer(server, workspace), workspace),
      })),
    );
    return new TwoWays(workspace, suite, lanes);
  }

  /** Runs these tests on both ways. */
  async compare(names: readonly string[]): Promise<Comparison> {
    const [direct, through] = await Promise.all([this.#run(this.#direct, names), this.#run(this.#through, names)]);
    return { direct, through };
  }

  async #run(lanes: readonly Lane[], names: readonly string[]): Promise<Outcomes> {
    const cwd = await this.#workspace.folder('public-suite');
    const file = join(cwd, 'settings.json');
    await writeFile(file, JSON.stringify({ lanes, names, failure: this.#suite.failure }), { mode: 0o600 });
    const args = [join(import.meta.dirname, 'public_suite.py'), file];
    const env = { PATH: '/usr/bin:/bin', HOME: cwd };
    const { code, stdout, stderr } = await run({ program: tools.python, args, cwd, env }, suiteTimeoutMs);
    assert.equal(code, 0, stderr);
    const outcomes = stdout.split('\n').filter((line) => line !== '');
    assert.equal(outcomes.length, names.length, stderr);
    return new Map(outcomes.map((line): Outcome => JSON.parse(line)).map((outcome) => [outcome.name, outcome]));
  }
}

/** The tests that passed, in their order. */
export function passed(outcomes: Outcomes): readonly string[] {
  return [...outcomes.values()].filter((outcome) => outcome.passed).map(({ name }) => name);
}

/** Whether a test passes directly and does not pass through the gateway. */
export function isLost({ direct, through }: Comparison, name: string): boolean {
  return direct.get(name)?.passed === true && through.get(name)?.passed !== true;
}

function directLane(suite: Suite, { access, root }: Server): Lane {
  return { ...suite.commandFor(access), server: access, root };
}

async function gatewayLane(suite: Suite, backend: Server, workspace: Workspace): Promise<Lane> {
  const gateway = await Gateway.start({ workspace, backend });
  return { ...suite.commandFor(gateway.access), server: backend.access, root: backend.root };
}
