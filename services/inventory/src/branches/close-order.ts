/**
 * Inventory's branch of close-order: try marks an order's frozen stock for release, confirm moves it frozen -> sellable, cancel
 * takes the mark off.
 */
import { closeOrderPayloadSchema } from '../../../protocol/src/index.ts';
import { endingBranch } from './ending-branch.ts';

export const closeOrderBranch = endingBranch({
  flow: 'close-order',
  payload: closeOrderPayloadSchema,
  ending: 'RETURNED',
});
