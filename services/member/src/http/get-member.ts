/**
 * GET /members/:userId.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { route, type Route } from '../../../kit/src/index.ts';
import { idSchema, problemSchema } from '../../../protocol/src/index.ts';
import { sumGrants } from '../grants.ts';

const memberSchema = z.strictObject({
  userId: idSchema,
  points: z.int().min(0).describe('One for each whole 100 cents of every order paid'),
  growth: z.int().min(0).describe('Counted like points'),
});

export function getMemberRoute(pool: Pool): Route {
  return route({
    method: 'get',
    path: '/members/:userId',
    summary: "One member's points and growth",
    params: z.strictObject({ userId: idSchema }),
    responses: {
      200: { description: 'What the member has; zeros for a user who never paid', schema: memberSchema },
      400: { description: 'The user id is none', schema: problemSchema },
      503: { description: 'The database does not answer right now; ask again', schema: problemSchema },
    },
    async handle({ params: { userId } }) {
      return { status: 200, body: { userId, ...(await sumGrants(pool, userId)) } };
    },
  });
}
