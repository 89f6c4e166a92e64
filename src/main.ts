import { ConfigError } from './config/problem.ts';
import { loadSettings } from './config/load.ts';
import { startGateway, version } from './wire.ts';

/** Exit codes of every command (docs/cli.md). */
const couldNotRun = 3;

/** Starts the gateway and serves until SIGTERM or SIGINT; gives the exit code. */
export async function serve(options: { readonly config?: string }): Promise<number> {
  const { settings, warnings, madeCredentials } = await loadSettings({
    env: process.env,
    cwd: process.cwd(),
    firstStart: true,
    ...(options.config === undefined ? {} : { file: options.config }),
  });
  const gateway = await startGateway(settings);
  const { logger } = gateway;
  for (const warning of warnings) logger.warn(warning);
  const scheme = settings.listen.tls === undefined ? 'http' : 'https';
  const endpoint = `${scheme}://${gateway.s3.host}:${gateway.s3.port}`;
  logger.info('gateway started', { version, address: endpoint });
  logger.info('admin listener started', { address: `http://${gateway.admin.host}:${gateway.admin.port}` });
  if (madeCredentials !== undefined) {
    const { file, accessKeyId, secretAccessKey } = madeCredentials;
    // Shown once, on the terminal and not in the log: the file has them from now on.
    process.stderr.write(
      `\nCredentials were made in ${file}. Try:\n\n` +
        `  export AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey} AWS_DEFAULT_REGION=us-east-1\n` +
        `  aws --endpoint-url ${endpoint} s3 mb s3://my-bucket\n\n`,
    );
  }
  const signal = await stopSignal();
  logger.info('draining', { signal });
  await gateway.close();
  return 0;
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}

/** What an operator is told when the gateway cannot run: every mistake of the configuration, else one line. */
export function explain(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  return error instanceof Error ? error.message : String(error);
}

if (import.meta.main) {
  try {
    const index = process.argv.indexOf('--config');
    const config = index < 0 ? undefined : process.argv[index + 1];
    process.exitCode = await serve(config === undefined ? {} : { config });
  } catch (error) {
    process.stderr.write(`s3eg: ${explain(error)}\n`);
    process.exitCode = couldNotRun;
  }
}
