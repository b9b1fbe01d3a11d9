/** How the chart's processes get to their databases and to Redis: as whom, and whose word they take for who is there. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openHelm, over, REQUIRED, type Helm, type Values } from './chart.ts';
import { container, environment, environmentOf, pod } from './objects.ts';

let helm: Helm;

beforeAll(async () => {
  helm = await openHelm();
}, 900_000);
afterAll(() => helm.close());

const render = (values: Values) => helm.template(over(REQUIRED, values));

const OWNERS = { databases: { migrations: { existingSecret: 'owners' } } };
const SERVICES = ['order', 'inventory', 'payment', 'dispatch', 'wms', 'member', 'notification'];

describe('the schema', () => {
  test('is changed before a service serves, by its owner, whose password who serves does not get', async () => {
    const objects = await render(OWNERS);
    for (const service of SERVICES) {
      const { initContainers = [], containers } = pod(objects, `shop-ordertx-${service}`);
      const [migrate] = initContainers;
      expect(migrate).toMatchObject({ name: 'migrate', args: ['migrate'], image: containers[0].image });
      expect(environmentOf(migrate ?? containers[0])).toEqual({
        LOG_LEVEL: 'info',
        DATABASE_MIGRATION_URL: { secretKeyRef: { name: 'owners', key: service } },
      });
      expect(Object.keys(environment(objects, `shop-ordertx-${service}`))).not.toContain('DATABASE_MIGRATION_URL');
    }
    expect(pod(objects, 'shop-ordertx-controller').initContainers).toBeUndefined();
  });

  test('has the owner of a service’s own secret before that of all, and what extraEnv says of its changes', async () => {
    const extraEnv = [{ name: 'DATABASE_MIGRATION_LOCK_TIMEOUT_MS', value: '200' }];
    const migrations = { existingSecret: 'order-owner', key: 'url' };
    const wms = { migrations: { key: 'warehouse' } };
    const objects = await render({ ...OWNERS, services: { order: { migrations, extraEnv }, wms } });
    const [order, warehouse] = ['order', 'wms'].map((service) => {
      const { initContainers = [], containers } = pod(objects, `shop-ordertx-${service}`);
      return environmentOf(initContainers[0] ?? containers[0]);
    });
    expect(order).toMatchObject({
      DATABASE_MIGRATION_URL: { secretKeyRef: { name: 'order-owner', key: 'url' } },
      DATABASE_MIGRATION_LOCK_TIMEOUT_MS: '200',
    });
    expect(warehouse?.DATABASE_MIGRATION_URL).toEqual({ secretKeyRef: { name: 'owners', key: 'warehouse' } });
  });

  test('is each service’s own to make where no owner is named, and one service’s owner is no other’s', async () => {
    const objects = await render({ services: { order: { migrations: { existingSecret: 'order-owner' } } } });
    const before = SERVICES.filter((service) => pod(objects, `shop-ordertx-${service}`).initContainers !== undefined);
    expect(before).toEqual(['order']);
  });
});

describe('certificates', () => {
  const FOLDER = '/etc/ordertx/tls';
  const CERTIFIED = {
    databases: { ca: { existingSecret: 'databases-ca' }, migrations: { existingSecret: 'owners' } },
    redis: {
      ca: { existingConfigMap: 'trusted', key: 'redis.pem' },
      clientCertificate: { existingSecret: 'redis-client' },
    },
    archive: { existingSecret: 'archive', ca: { existingSecret: 'archive-ca' } },
  };
  const redisFiles = {
    REDIS_CA_FILE: `${FOLDER}/redis-ca.crt`,
    REDIS_CERT_FILE: `${FOLDER}/redis.crt`,
    REDIS_KEY_FILE: `${FOLDER}/redis.key`,
  };
  const redisSources = [
    { configMap: { name: 'trusted', items: [{ key: 'redis.pem', path: 'redis-ca.crt' }] } },
    {
      secret: {
        name: 'redis-client',
        items: [
          { key: 'tls.crt', path: 'redis.crt' },
          { key: 'tls.key', path: 'redis.key' },
        ],
      },
    },
  ];
  const authority = (name: string, path: string) => ({ secret: { name, items: [{ key: 'ca.crt', path }] } });

  const certificatesOf = async (component: string) => {
    const objects = await render(CERTIFIED);
    const name = `shop-ordertx-${component}`;
    const files = Object.entries(environment(objects, name)).filter(([variable]) => variable.endsWith('_FILE'));
    const [volume, ...others] = pod(objects, name).volumes ?? [];
    expect(others).toEqual([]);
    expect(container(objects, name).volumeMounts).toEqual([{ name: 'tls', mountPath: FOLDER, readOnly: true }]);
    const { projected } = volume as unknown as {
      readonly projected: { readonly sources: unknown; readonly defaultMode: number };
    };
    expect(projected.defaultMode).toBe(0o440);
    return { files: Object.fromEntries(files), sources: projected.sources };
  };

  test('are files of each process that needs them: of a service', async () => {
    expect(await certificatesOf('order')).toEqual({
      files: { DATABASE_CA_FILE: `${FOLDER}/database-ca.crt`, ...redisFiles },
      sources: [authority('databases-ca', 'database-ca.crt'), ...redisSources],
    });
  });

  test('of one that has no Redis', async () => {
    expect(await certificatesOf('inventory')).toEqual({
      files: { DATABASE_CA_FILE: `${FOLDER}/database-ca.crt` },
      sources: [authority('databases-ca', 'database-ca.crt')],
    });
  });

  test('of the controller, whose one database is the archive', async () => {
    expect(await certificatesOf('controller')).toEqual({
      files: { ARCHIVE_DATABASE_CA_FILE: `${FOLDER}/archive-ca.crt`, ...redisFiles },
      sources: [authority('archive-ca', 'archive-ca.crt'), ...redisSources],
    });
  });

  test('are there for who changes the schema too', async () => {
    const { initContainers = [] } = pod(await render(CERTIFIED), 'shop-ordertx-inventory');
    expect(initContainers[0]?.volumeMounts).toEqual([{ name: 'tls', mountPath: FOLDER, readOnly: true }]);
    expect(initContainers[0]?.env).toContainEqual({ name: 'DATABASE_CA_FILE', value: `${FOLDER}/database-ca.crt` });
  });

  test('are no volume where none are named', async () => {
    const { volumes, containers } = pod(await render({}), 'shop-ordertx-order');
    expect([volumes, containers[0].volumeMounts]).toEqual([undefined, undefined]);
  });

  test('that are in two places are refused', async () => {
    const ca = { existingSecret: 'a', existingConfigMap: 'b' };
    await expect(render({ redis: { ca } })).rejects.toThrow(
      'redis.ca names a secret and a ConfigMap: take redis.ca.existingSecret or redis.ca.existingConfigMap out',
    );
  });
});
