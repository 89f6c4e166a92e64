import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');

interface LogLine {
  readonly message: string;
  readonly address?: string;
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(
    `npm start passes ${signal} on to the gateway and waits until it is done`,
    { timeout: 60_000 },
    async (context) => {
      const dataDir = await mkdtemp(join(tmpdir(), 's3eg-start-'));
      const npm = spawn('npm', ['start', '--silent'], {
        cwd: root,
        // Detached: the signal goes to npm alone, as a supervisor sends it, and not to the whole group.
        detached: true,
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { ...process.env, S3EG_DATA_DIR: dataDir, S3EG_LISTEN_PORT: '0', S3EG_ADMIN_PORT: '0', S3EG_CONFIG: '' },
      });
      const exited = once(npm, 'exit');
      context.after(async () => {
        killGroup(npm.pid);
        await rm(dataDir, { recursive: true, force: true });
      });
      const messages: string[] = [];
      let address: URL | undefined;
      for await (const line of createInterface({ input: npm.stdout })) {
        const entry: LogLine = JSON.parse(line);
        messages.push(entry.message);
        if (entry.message === 'gateway started') address = new URL(entry.address ?? '');
        if (entry.message === 'admin listener started') npm.kill(signal);
      }
      assert.deepEqual(await exited, [0, null]);
      assert.deepEqual(messages, ['ciphers measured', 'gateway started', 'admin listener started', 'draining']);
      assert.ok(address !== undefined);
      await assert.rejects(connect(address), { code: 'ECONNREFUSED' }, 'nothing is left that listens');
    },
  );
}

/** Whatever is left of a run that failed. */
function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing is left.
  }
}

async function connect({ hostname, port }: URL): Promise<void> {
  const socket = createConnection({ host: hostname, port: Number(port) });
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}
