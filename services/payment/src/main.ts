/**
 * The payment service's process: `main.ts` serves, `main.ts outbox ...` shows what has no receipt yet, or publishes what was
 * refused again, `main.ts refund ...` gives back what will never be applied; both exit.
 */
import '../../kit/src/begin.ts';
import { createLog, createPool, runProcess } from '../../kit/src/index.ts';
import { readConfig, readRefundConfig } from './config.ts';
import { orderService } from './orders/order-service.ts';
import { refundCommand } from './refunds/refund-command.ts';
import { migrations, startPayment } from './service.ts';

await runProcess({
  name: 'payment',
  migrations,
  start: () => startPayment(readConfig()),
  sendsMessages: true,
  commands: {
    async refund({ args, databaseUrl, print }) {
      const { orderUrl } = readRefundConfig();
      const log = createLog({ name: 'payment', level: 'error' });
      const pool = createPool({ connectionString: databaseUrl, applicationName: 'payment-refund', log });
      const orders = orderService(orderUrl);
      const code = await refundCommand({ args, pool, orders, print });
      await orders.close();
      await pool.end();
      return code;
    },
  },
});
