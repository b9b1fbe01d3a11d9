/**
 * Inventory's branch of pay-order: try marks an order's frozen stock for deduction, confirm moves it frozen -> sold, cancel takes
 * the mark off.
 */
import { payOrderPayloadSchema } from '../../../protocol/src/index.ts';
import { endingBranch } from './ending-branch.ts';

export const payOrderBranch = endingBranch({
  flow: 'pay-order',
  payload: payOrderPayloadSchema,
  ending: 'SOLD',
});
