import { runCli } from './program.ts';

// Ends at once: what a command left open (a connection to a backend that does not answer) must not hold the process.
process.exit(await runCli(process.argv.slice(2)));
