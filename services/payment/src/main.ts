/**
 * The payment service's process: `main.ts` serves, `main.ts outbox ...` shows what has no receipt yet, or publishes what was
 * refused again, and exits.
 */
import { runProcess } from '../../kit/src/index.ts';
import { readConfig } from './config.ts';
import { startPayment } from './service.ts';

await runProcess({ name: 'payment', start: () => startPayment(readConfig()), sendsMessages: true });
