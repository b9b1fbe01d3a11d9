/**
 * A Redis with the users that the chart renders, which speaks to them by TLS alone, and to whoever has a certificate.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessGroup } from '../../local/process-group.ts';
import { startRedis } from '../../local/redis.ts';
import { redisUrlOf } from '../../services/kit/src/tls-settings.ts';
import { makeAuthority, makeCertificate } from '../world/certificates.ts';
import { aclFile } from './rendered-acl.ts';

export interface SecuredRedis {
  /** Of one who may do everything, without TLS. */
  readonly adminUrl: string;
  /** What a process is set up with to go there as this user. */
  readonly env: (user: string) => Readonly<Record<string, string>>;
  /** Where connections of this user go; without one, of somebody whom nobody knows. */
  readonly url: (user?: string) => string;
}

export async function startSecuredRedis(group: ProcessGroup): Promise<SecuredRedis> {
  const authority = makeAuthority('redis authority');
  const server = makeCertificate(authority, 'redis authority', 'redis');
  const client = makeCertificate(authority, 'redis authority', 'a process of the shop');
  const write = (name: string, text: string): string => {
    const path = join(group.folder, name);
    writeFileSync(path, text);
    return path;
  };
  const files = {
    REDIS_CA_FILE: write('redis-ca.crt', authority.certificate),
    REDIS_CERT_FILE: write('redis-client.crt', client.certificate),
    REDIS_KEY_FILE: write('redis-client.key', client.key),
  };
  const password = randomBytes(12).toString('hex');
  const redis = await startRedis(group, {
    url: '',
    users: { acl: await aclFile('admin', password), admin: 'admin', password },
    tls: { ...server, authority: authority.certificate },
  });
  const tlsUrl = redis.kind === 'own' ? (redis.tlsUrl ?? '') : '';
  const urlOf = (user?: string) => (user === undefined ? tlsUrl : tlsUrl.replace('://', `://${user}:${password}@`));
  return {
    adminUrl: redis.url,
    env: (user) => ({ REDIS_URL: urlOf(user), ...files }),
    url: (user) =>
      redisUrlOf({
        ...{ redisUrl: urlOf(user), redisCaFile: files.REDIS_CA_FILE },
        ...{ redisCertFile: files.REDIS_CERT_FILE, redisKeyFile: files.REDIS_KEY_FILE },
      }),
  };
}
