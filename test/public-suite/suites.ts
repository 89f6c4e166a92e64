/** Suites that others wrote for their own servers or clients. */
import { join } from 'node:path';

import type { S3Access } from '../interop/support/backends.ts';
import { runOk } from '../interop/support/processes.ts';
import { tools } from '../interop/support/tools.ts';

/** How one test of a suite is run: its name becomes the last argument. */
export interface TestCommand {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A suite that runs one test a process. */
export interface Suite {
  readonly title: string;
  /** Below it, something is wrong with how the suite is run; far below what passes against either server. */
  readonly minimumPassed: number;
  /** Regular expression (Python's) of the output of a test that did not pass, beside its exit code. */
  readonly failure: string;
  /** Names of all its tests that are about S3. */
  tests(): Promise<readonly string[]>;
  commandFor(access: S3Access): TestCommand;
}

/** Groups that are of versitygw's own administration, or of its static website. */
const ofItsOwn = /^(?:IAM|S3IAM|STS|Website|GwIAM|AccessControl_|PublicBucket|NoAclMode|locked$)/;

const versitygw: Suite = {
  title: 'the suite of versitygw',
  minimumPassed: 150,
  failure: 'FAIL|panic',
  tests: async () => {
    const help = await outputOf(tools.versitygw, 'test', '--help');
    const names = [...help.matchAll(/^ {3}([A-Za-z0-9]+_\w+)/gm)].map(([, name = '']) => name);
    return names.filter((name) => !ofItsOwn.test(name)).toSorted();
  },
  commandFor: ({ endpoint, accessKeyId, secretAccessKey }) => ({
    command: [tools.versitygw, 'test', '--endpoint', endpoint, '--access', accessKeyId, '--secret', secretAccessKey],
    env: { AWS_EC2_METADATA_DISABLED: 'true' },
  }),
};

/** What MinIO runs as part of its `mint`: `functional_tests.go` of its Go client. */
const minioGo: Suite = {
  title: 'the functional tests of minio-go',
  minimumPassed: 40,
  // What a server answers with NotImplemented is "NA" to these tests; here it has not passed.
  failure: '"status":"(?:FAIL|NA)"|panic',
  tests: async () => (await outputOf(tools.minioGoTests)).trim().split('\n').toSorted(),
  commandFor: ({ endpoint, accessKeyId, secretAccessKey }) => ({
    command: [tools.minioGoTests],
    env: {
      SERVER_ENDPOINT: new URL(endpoint).host,
      ACCESS_KEY: accessKeyId,
      SECRET_KEY: secretAccessKey,
      // Without it, the tests of checksums and attributes leave themselves out.
      MINT_MODE: 'full',
    },
  }),
};

const minioPyArgs = [join(import.meta.dirname, 'minio_py.py'), tools.minioPyTests];

/** The same of MinIO's Python client: `tests/functional/tests.py` of its source package. */
const minioPy: Suite = {
  title: 'the functional tests of minio-py',
  minimumPassed: 30,
  failure: '"status": "(?:FAIL|NA)"|^Traceback',
  tests: async () => {
    const env = { ACCESS_KEY: 'any', SECRET_KEY: 'any-secret', SERVER_ENDPOINT: '127.0.0.1:1' };
    const { stdout } = await runOk({ program: tools.python, args: minioPyArgs, cwd: '/', env });
    return stdout.trim().split('\n').toSorted();
  },
  commandFor: ({ endpoint, accessKeyId, secretAccessKey }) => ({
    command: [tools.python, ...minioPyArgs],
    env: { SERVER_ENDPOINT: new URL(endpoint).host, ACCESS_KEY: accessKeyId, SECRET_KEY: secretAccessKey },
  }),
};

/** By the name that they have in differences.json. */
export const suites = { versitygw, 'minio-go': minioGo, 'minio-py': minioPy } as const satisfies Readonly<
  Record<string, Suite>
>;

/** Name of a suite. */
export type SuiteName = keyof typeof suites;

async function outputOf(program: string, ...args: readonly string[]): Promise<string> {
  return (await runOk({ program, args, cwd: '/', env: {} })).stdout;
}
