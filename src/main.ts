import { runCli } from './cli/program.ts';

// `npm start` is the command `serve`; npm puts the pinned Node in front, so no launcher is needed.
process.exit(await runCli(['serve', ...process.argv.slice(2)]));
