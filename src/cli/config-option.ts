import { Option } from 'commander';

import type { LoadOptions } from '../config/load.ts';
import type { CliIo } from './cli-io.ts';

/** What `configOption` gives. */
export interface ConfigOption {
  readonly config?: string;
}

/** `--config FILE`, which every command has that needs the configuration. */
export function configOption(): Option {
  return new Option('--config <file>', 'Configuration file (YAML); without it S3EG_CONFIG, then the defaults.');
}

/** Where the configuration comes from. */
export function loadOptions({ env, cwd }: CliIo, { config }: ConfigOption): LoadOptions {
  return { env, cwd, ...(config === undefined ? {} : { file: config }) };
}
