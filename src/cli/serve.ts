import { once } from 'node:events';

import { Command } from 'commander';

import { loadSettings, type LoadedSettings } from '../config/load.ts';
import { startGateway, version, type RunningGateway } from '../wire.ts';
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
        'ends them at once.',
    )
    .addOption(configOption())
    .action(async (options: ConfigOption) => setExitCode(await serve(io, options)));
}

async function serve(io: CliIo, options: ConfigOption): Promise<number> {
  using stop = new StopSignals();
  const loaded = await loadToServe(io, options);
  const gateway = await startOrStop(loaded, stop);
  if (gateway === undefined) return signalExitCodes[stop.received ?? 'SIGTERM'];
  announce(io, loaded, gateway);
  reopenOnHangUp(loaded, gateway);
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
async function startOrStop({ settings }: LoadedSettings, stop: StopSignals): Promise<RunningGateway | undefined> {
  const stopped = new AbortController();
  const { signal } = stopped;
  const waiting = stop.signal.aborted ? Promise.resolve() : once(stop.signal, 'abort', { signal });
  const starting = startGateway(settings);
  try {
    // Whoever waits for a backend that does not answer must still be able to stop.
    return await Promise.race([starting, waiting.then(() => undefined)]);
  } finally {
    stopped.abort();
  }
}

/** What logrotate and its like send; where no file is written, a terminal's SIGHUP ends the gateway as ever. */
function reopenOnHangUp({ settings: { audit } }: LoadedSettings, gateway: RunningGateway): void {
  if (audit.sinks?.some(({ type }) => type === 'file') !== true) return;
  process.on('SIGHUP', () => gateway.reopenAudit());
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
