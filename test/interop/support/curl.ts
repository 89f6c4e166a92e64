/** curl, which sends a URL as it is given, to a host name that only this test knows. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { runOk } from './processes.ts';
import { systemProgram } from './tools.ts';
import type { Workspace } from './workspace.ts';

/** What is sent beside the URL. */
export interface CurlRequest {
  /** Default: GET, or PUT with a file, POST with a form. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Path of the file that is the body. */
  readonly file?: string;
  /** Fields of an upload form; the file comes behind them. */
  readonly form?: Readonly<Record<string, string>>;
}

/** What came back. */
export interface CurlAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

const always = (
  '--disable --silent --show-error --globoff --path-as-is ' +
  '--dump-header headers --output body --write-out %{http_code}'
).split(' ');

/** Requests a URL; every host name is 127.0.0.1. Any status is an answer. */
export async function curl(workspace: Workspace, url: string, request: CurlRequest = {}): Promise<CurlAnswer> {
  const cwd = await workspace.folder('curl');
  const { method, headers = {} } = request;
  const { port } = new URL(url);
  const args = [
    ...always,
    '--resolve',
    `*:${port}:127.0.0.1`,
    ...(method === 'HEAD' ? ['--head'] : method === undefined ? [] : ['--request', method]),
    ...Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]),
    ...bodyOptions(request),
    url,
  ];
  const env = { PATH: '/usr/bin:/bin', HOME: cwd };
  const { stdout } = await runOk({ program: systemProgram('curl'), args, cwd, env }, 60_000);
  return {
    status: Number(stdout),
    headers: lastHeaders(await readFile(join(cwd, 'headers'), 'latin1')),
    body: method === 'HEAD' ? Buffer.alloc(0) : await readFile(join(cwd, 'body')).catch(() => Buffer.alloc(0)),
  };
}

function bodyOptions({ file, form }: CurlRequest): readonly string[] {
  if (file === undefined) return [];
  if (form === undefined) return ['--upload-file', file];
  const fields = Object.entries(form).flatMap(([name, value]) => ['--form-string', `${name}=${value}`]);
  return [...fields, '--form', `file=@${file}`];
}

/** Of the final answer: a 100 Continue stands before it. */
function lastHeaders(text: string): ReadonlyMap<string, string> {
  const head = text.trimEnd().split('\r\n\r\n').at(-1) ?? '';
  const lines = head.split('\r\n').slice(1);
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

/** Status and S3 code of a refusal. */
export function refusalOf({ status, body }: CurlAnswer): readonly [number, string | undefined] {
  return [status, /<Code>([^<]*)<\/Code>/.exec(body.toString('utf8'))?.[1]];
}
