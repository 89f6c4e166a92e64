import { once } from 'node:events';

import { Command } from 'commander';

import { loadSettings, type LoadedSettings } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import type { RunningGateway } from '../wire/gateway.ts';
import { version } from '../wire/version.ts';
import type { LoadAgain } from '../workers/primary.ts';
import type { CliIo } from './cli-io.ts';
import type { SetExitCode } from './command.ts';
import { configOption, type ConfigOption, loadOptions } from './config-option.ts';
import { exitCode } from './exit-code.ts';
import { applyHardwareSetting } from './hardware-setting.ts';
import { signalExitCodes, StopSignals } from './stop-signals.ts';

/** `s3eg serve`, which is also `npm start`. */
export function serveCommand(io: CliIo, setExitCode: SetExitCode): Command {
  return new Command('serve')
    .description(
      'Runs the gateway until SIGTERM or SIGINT. Running requests then get listen.drainTimeout to end; a second SIGINT ' +
        'ends them at once. With several workers, SIGHUP reads the configuration again.',
    )
    .addOption(configOption())
    .action(async (options: ConfigOption) => setExitCode(await serve(io, options)));
}

async function serve(io: CliIo, options: ConfigOption): Promise<number> {
  // Never disposed of: a SIGTERM that comes while the process exits must not make a clean end look like a crash.
  const stop = new StopSignals();
  const loaded = await loadToServe(io, options);
  const gateway = await startOrStop(loaded, stop, () => loadSettings(loadOptions(io, options)));
  if (gateway === undefined) return signalExitCodes[stop.received ?? 'SIGTERM'];
  announce(io, loaded, gateway);
  using _hangUps = hearHangUps(loaded, gateway);
  if (!stop.signal.aborted) await once(stop.signal, 'abort');
  gateway.logger.info('draining', { signal: stop.received });
  await gateway.close();
  return exitCode.fine;
}

/** The settings, in a process that `crypto.hardware` holds for. */
async function loadToServe(io: CliIo, options: ConfigOption): Promise<LoadedSettings> {
  const loaded = await loadSettings(loadOptions(io, options));
  applyHardwareSetting(loaded.settings.crypto);
  if (loaded.settings.credentials.length > 0) return loaded;
  // Only now: credentials that are made are shown once, by the process that stays.
  return loadSettings({ ...loadOptions(io, options), firstStart: true });
}

/** The gateway; undefined where a signal came before it was there. What has been begun by then ends with the process. */
async function startOrStop(
  { settings }: LoadedSettings,
  stop: StopSignals,
  load: LoadAgain,
): Promise<RunningGateway | undefined> {
  const stopped = new AbortController();
  const { signal } = stopped;
  const waiting = stop.signal.aborted ? Promise.resolve() : once(stop.signal, 'abort', { signal });
  try {
    // Whoever waits for a backend that does not answer must still be able to stop.
    return await Promise.race([start(settings, load), waiting.then(() => undefined)]);
  } finally {
    stopped.abort();
  }
}

/** Loads only what is needed: a process that supervises has nothing of what serves. */
async function start(settings: Settings, load: LoadAgain): Promise<RunningGateway> {
  if (settings.workers === 1) {
    const { startGateway } = await import('../wire/gateway.ts');
    return startGateway(settings);
  }
  const { startPrimary } = await import('../workers/primary.ts');
  return startPrimary(settings, load);
}

/**
 * SIGHUP opens files anew, as logrotate and its like want, and with several workers reads the configuration again. Where neither
 * is to be done, or a terminal is gone that the gateway was started in, it ends the gateway as ever.
 */
function hearHangUps({ settings: { audit } }: LoadedSettings, gateway: RunningGateway): Disposable {
  const writesFiles = audit.sinks?.some(({ type }) => type === 'file') === true;
  const reloads = gateway.reload !== undefined && !process.stderr.isTTY;
  const hear = (): void => {
    gateway.reopenAudit();
    if (reloads) void gateway.reload?.();
  };
  if (writesFiles || reloads) process.on('SIGHUP', hear);
  return { [Symbol.dispose]: () => void process.off('SIGHUP', hear) };
}

function announce(io: CliIo, { settings, warnings, madeCredentials }: LoadedSettings, gateway: RunningGateway): void {
  const { logger, s3, admin } = gateway;
  for (const warning of warnings) logger.warn(warning);
  const endpoint = `${settings.listen.tls === undefined ? 'http' : 'https'}://${authority(s3)}`;
  logger.info('gateway started', { version, address: endpoint });
  logger.info('admin listener started', { address: `http://${authority(admin)}` });
  if (madeCredentials === undefined) return;
  const { file, accessKeyId, secretAccessKey } = madeCredentials;
  // Shown once, on the terminal and not in the log: the file has them from now on.
  io.err(
    `\nCredentials were made in ${file}. Try:\n\n` +
      `  export AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey} AWS_DEFAULT_REGION=us-east-1\n` +
      `  aws --endpoint-url ${endpoint} s3 mb s3://my-bucket\n\n`,
  );
}

function authority({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
