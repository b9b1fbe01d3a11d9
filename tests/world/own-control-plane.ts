/**
 * A control plane of a test's own, for what would disturb the others in the shared world (restarts, compaction) or be
 * disturbed by them (counting requests). It dies with the test's process. A Shop uses it by `openShop(..., { cluster })`.
 */
import { installResources } from '../../local/cluster.ts';
import type { ApiServer } from '../../local/control-plane/api.ts';
import { startControlPlane, type ControlPlane, type ControlPlaneOptions } from '../../local/control-plane/start.ts';
import { openProcessGroup } from '../../local/process-group.ts';
import type { ShopOptions } from './shop.ts';

export interface OwnControlPlane {
  readonly plane: ControlPlane;
  readonly admin: ApiServer;
  /** As openShop takes it. */
  readonly cluster: NonNullable<ShopOptions['cluster']>;
  close(): Promise<void>;
}

export async function openControlPlane(options: ControlPlaneOptions = {}): Promise<OwnControlPlane> {
  const group = await openProcessGroup();
  try {
    const plane = await startControlPlane(group, { unsafeNoFsync: true, ...options });
    await installResources(plane);
    const { url, token, certificate, kubectl, kubeconfig, issuer, admin } = plane;
    return {
      ...{ plane, admin },
      cluster: { apiServerUrl: url, token, certificate, kubectl, kubeconfig, issuer },
      async close() {
        await admin.close();
        await group.close();
      },
    };
  } catch (error) {
    await group.close();
    throw error;
  }
}
