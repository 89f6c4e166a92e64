/** The demo of keys in Vault and AWS KMS: it checks what it claims itself; here is seen that it does, and what it leaves. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { Daemon, run, type Command } from './support/processes.ts';
import { ownWorkspace } from './support/site.ts';
import { repository } from './support/tools.ts';
import { until, type Workspace } from './support/workspace.ts';

const demo = join(repository, 'examples/kms-demo/run');

/** Where CI finds the recording afterwards. */
const transcripts = join(repository, 'node_modules/.cache/transcripts');

/** What the demo has to find true, in this order. */
const claims = [
  'the gateway itself may not rotate the Vault key: only its operator may',
  'the gateway is ready: it reaches both key services',
  'all objects come back as they were written',
  'each key service wrapped less often than there are objects (4 in each bucket)',
  'letters are under version 1 of the Vault key',
  'invoices are under the KMS key, by its ARN',
  'no file of the provider has a sentence of them in clear',
  'version 2 of the Vault key is current',
  'version 1 of it is still read',
  'the new KMS key is current',
  'a new letter is under version 2',
  'a new invoice is under the new KMS key',
  'old and new objects are readable',
  'the metrics tell reads under the current and under the previous version apart',
  'the dry run counts what is under version 1',
  'the old version protects nothing in letters any more',
  'the stored bytes of letters/monday are the same as before',
  'the old version protects nothing in invoices any more',
  'the stored bytes of invoices/monday are the same as before',
  'the old letter is under version 2 now',
  'the old invoice is under the new KMS key now',
  'Vault opens nothing below version 2',
  'the gateway ends in good order',
  'the gateway starts without the old versions',
  'every object is still readable',
  'the restored object of letters is refused, by a code of its own',
  'the message names the version',
  'the restored object of invoices is refused, by a code of its own',
  'the message names the version',
  'the metric that deserves an alert has counted both',
  'the one restored object of letters was rewrapped',
  'its stored bytes are those of the backup',
  'the one restored object of invoices was rewrapped',
  'its stored bytes are those of the backup',
  'every object is readable again',
  'the log says when the rotation was taken up',
  'the log says who was refused what',
  'key services were asked less often than objects were read',
  'neither has a token, a secret id or a secret key in it',
  'they tell that the operator rotated both keys',
  'and that the gateway took the new version up',
  'and which bucket was rewrapped',
  'and which version was retired',
  'only its owner may read the file',
  'no token, secret id or secret key is in it',
  'the gateway ends in good order',
];

/** Claims that were found true; others stand there with their mark. */
function claimsIn(text: string): readonly string[] {
  return Array.from(text.matchAll(/^\[(\w+)\] (.+)$/gm), ([line, mark, claim = '']) => (mark === 'ok' ? claim : line));
}

interface Place {
  readonly command: Command;
  /** Where the demo makes its folder; every process that it starts has this name in its environment. */
  readonly temporary: string;
}

async function place(workspace: Workspace, args: readonly string[], env: Command['env'] = {}): Promise<Place> {
  const temporary = await workspace.folder('temporary');
  const inherited = Object.entries(process.env).filter(([name]) =>
    /^(PATH|HOME|XDG_CACHE_HOME|S3EG_INTEROP_DIR)$/.test(name),
  );
  const variables = Object.fromEntries(inherited.map(([name, value]) => [name, value ?? '']));
  return {
    command: { program: demo, args, cwd: temporary, env: { ...variables, TMPDIR: temporary, ...env } },
    temporary,
  };
}

/** Command lines of the processes that have a text in their environment. */
async function processesWith(text: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = pids.map(async (pid) => {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    return environment.includes(text) ? [await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => pid)] : [];
  });
  return (await Promise.all(found)).flat();
}

async function leavesNothing(temporary: string): Promise<void> {
  await until('the end of all processes of the demo', async () => (await processesWith(temporary)).length === 0);
  assert.deepEqual(await readdir(temporary), []);
}

/** The events of a cast, after its form was looked at: https://docs.asciinema.org/manual/asciicast/v2/ */
function textOfCast(cast: string): string {
  const [first = '', ...lines] = cast.trimEnd().split('\n');
  const header: Readonly<Record<string, unknown>> = JSON.parse(first);
  assert.equal(header['version'], 2);
  for (const name of ['width', 'height', 'timestamp']) assert.ok(Number.isInteger(header[name]), name);
  assert.ok(lines.length > 50, `${lines.length} events`);
  let beforeS = 0;
  const texts = lines.map((line) => {
    const event: readonly unknown[] = JSON.parse(line);
    const [atS, code, text] = event;
    assert.ok(event.length === 3 && typeof atS === 'number' && typeof text === 'string', line);
    assert.ok(atS >= beforeS, 'time does not go back');
    assert.equal(code, 'o');
    assert.doesNotMatch(text, /(?<!\r)\n/, 'a terminal needs a carriage return too');
    beforeS = atS;
    return text;
  });
  return texts.join('');
}

test('the demo finds everything as it says, leaves nothing behind, and its cast shows what was shown', async (t) => {
  const workspace = ownWorkspace();
  await mkdir(transcripts, { recursive: true });
  const cast = join(transcripts, 'kms-demo.cast');
  t.diagnostic(`transcript: ${cast}`);
  const { command, temporary } = await place(workspace, ['--cast', cast]);
  const { code, stdout, stderr } = await run(command, 300_000);
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.deepEqual(claimsIn(stdout), claims);
  assert.equal(textOfCast(await readFile(cast, 'utf8')), stdout.replaceAll('\n', '\r\n'));
  await leavesNothing(temporary);
});

test('the recording beside the demo is one of this demo', async () => {
  const text = textOfCast(await readFile(join(dirname(demo), 'demo.cast'), 'utf8'));
  assert.deepEqual(claimsIn(text.replaceAll('\r\n', '\n')), claims);
});

test('Ctrl-C in the middle ends everything that was started', async () => {
  const workspace = ownWorkspace();
  const { command, temporary } = await place(workspace, []);
  const running = workspace.use(await Daemon.start(command, ({ stdout }) => stdout.includes('s3 mb s3://letters')));
  // Vault, the stand-in, npm with the gateway, and the demo itself.
  assert.ok((await processesWith(temporary)).length >= 5);
  process.kill(running.pid, 'SIGINT');
  await leavesNothing(temporary);
  assert.doesNotMatch(running.stdout, /FAILED/);
});

test('a missing program is named, with how to get it', async () => {
  const workspace = ownWorkspace();
  const { command, temporary } = await place(workspace, [], { PATH: '/usr/bin:/bin', S3EG_INTEROP_DIR: '/nowhere' });
  const { code, stdout, stderr } = await run(command);
  assert.equal(code, 3);
  assert.equal(stdout, '');
  assert.match(stderr, /^kms-demo: vault is not on PATH\. .*\.ci\/setup-interop/);
  await leavesNothing(temporary);
});
