/**
 * GET /notifications?orderId=.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { route, type Route } from '../../../kit/src/index.ts';
import { idSchema, orderIdSchema, problemSchema } from '../../../protocol/src/index.ts';
import { listNotifications, NOTIFICATION_STATUSES } from '../notifications.ts';

const notificationSchema = z.strictObject({
  channel: z.literal('sms'),
  to: idSchema.describe('The user it goes to'),
  text: z.string(),
  status: z
    .enum(NOTIFICATION_STATUSES)
    .describe('PENDING until an attempt has ended; SENT is final; FAILED may be tried again'),
  attempts: z.int().min(0).describe('Calls of the provider; one that was cut off before it counts as well'),
});

export function listNotificationsRoute(pool: Pool): Route {
  return route({
    method: 'get',
    path: '/notifications',
    summary: "An order's notifications, the oldest first",
    query: z.strictObject({ orderId: orderIdSchema }),
    responses: {
      200: { description: 'Empty where there is none', schema: z.array(notificationSchema) },
      400: { description: 'orderId is missing or wrong; detail names it', schema: problemSchema },
      503: { description: 'The database does not answer; ask again', schema: problemSchema },
    },
    handle: async ({ query: { orderId } }) => ({ status: 200, body: await listNotifications(pool, orderId) }),
  });
}
