import { configureGlobal } from 'fast-check';

// Preloaded by `tools/run-tests.ts` where S3EG_TEST_SEED is set: every property starts from it, unless it has its own seed.
configureGlobal({ seed: Number(process.env['S3EG_TEST_SEED']) });
