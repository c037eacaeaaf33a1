/** The microVM sandbox for real, under software emulation: the conformance suite, and what only a machine of its own can show. Needs root. */
import { createMicrovmHost, MICROVM_PATIENCE_MS } from './microvm-host.ts';
import { realSandbox } from './real-host.ts';
import { sandboxConformance } from './sandbox.ts';

sandboxConformance('microvm', async () => ({ ...realSandbox(await createMicrovmHost()), patienceMs: MICROVM_PATIENCE_MS }));
