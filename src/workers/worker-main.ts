// A worker process: serves connections that its supervisor accepts, as the supervisor orders, and ends with it.
import type { Socket } from 'node:net';

import { messageOf } from '../base/message-of.ts';
import { startWorker, type RunningWorker } from '../wire/worker.ts';
import type { FromWorker, ToWorker, WorkerOrder } from './messages.ts';

const couldNotRun = 3;
const lostSupervisor = 1;

let running: RunningWorker | undefined;
let closing: Promise<void> | undefined;

// Of a terminal and of many supervisors every process gets them; when to end, and how, is for one to say.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => {});
// Nobody could stop or replace it any more.
process.on('disconnect', () => process.exit(lostSupervisor));
process.on('message', (message: ToWorker, socket?: Socket) => {
  if (message.type === 'start') void start(message);
  else if (message.type === 'connection') take(message.id, socket);
  else if (message.type === 'reopen') running?.reopenAudit();
  else if (message.type === 'collect') {
    const { registry } = running ?? {};
    const families = (message.isScrape ? registry?.collect() : registry?.peek()) ?? [];
    say({ type: 'metrics', id: message.id, families });
  } else closing ??= close(message.idleGraceMs);
});

function say(message: FromWorker, then?: () => void): void {
  process.send?.(message, undefined, undefined, then);
}

async function start(order: WorkerOrder): Promise<void> {
  try {
    running = await startWorker(order.settings, order);
    say({ type: 'serving' });
  } catch (error) {
    say({ type: 'failed', message: messageOf(error) }, () => process.exit(couldNotRun));
  }
}

function take(id: number, socket: Socket | undefined): void {
  // The client may be gone by the time that its connection gets here.
  if (socket === undefined) return say({ type: 'taken', id, open: running?.connections ?? 0 });
  if (running === undefined || closing !== undefined) {
    say({ type: 'returned', id });
    socket.destroy();
    return;
  }
  say({ type: 'taken', id, open: running.connections + 1 });
  if (!running.adopt(socket)) socket.destroy();
}

async function close(idleGraceMs: number): Promise<void> {
  await running?.close({ idleGraceMs });
  say({ type: 'drained', families: running?.registry.collect() ?? [] }, () => process.exit(0));
}
