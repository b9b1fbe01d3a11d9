/**
 * The running member service: it hears of payments by messages, and shows what a member was granted for them.
 */
import { redisUrlOf, shopNamespaceOf, startService, type RunningService } from '../../kit/src/index.ts';
import type { MemberConfig } from './config.ts';
import { getMemberRoute } from './http/get-member.ts';
import { pointsGrant } from './messages/points-grant.ts';

export const migrations = new URL('../migrations/', import.meta.url);

export async function startMember(config: MemberConfig): Promise<RunningService> {
  return startService({
    ...{ name: 'member', config, redisUrl: redisUrlOf(config) },
    migrations,
    build: ({ publicPool: pool }) => ({
      routes: [getMemberRoute(pool)],
      handlers: [pointsGrant(shopNamespaceOf(config))],
    }),
  });
}
