/**
 * The processes that have an image, each with what is said of it in the image's labels.
 */
export interface Process {
  /** Of the image, and of the Dockerfile's target. */
  readonly name: string;
  /** Where it starts, from the repository's root. */
  readonly main: string;
  readonly title: string;
}

const service = (name: string, title: string): Process => ({ name, main: `services/${name}/src/main.ts`, title });

export const PROCESSES: readonly Process[] = [
  { name: 'controller', main: 'controller/src/main.ts', title: 'ordertx controller' },
  service('order', 'ordertx order service'),
  service('inventory', 'ordertx inventory service'),
  service('payment', 'ordertx payment service'),
  service('dispatch', 'ordertx dispatch service'),
  service('wms', 'ordertx warehouse service'),
  service('member', 'ordertx member service'),
  service('notification', 'ordertx notification service'),
];
