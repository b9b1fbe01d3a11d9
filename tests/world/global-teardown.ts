/**
 * Ends the world of a jest run (world.ts).
 */
import { tearDown } from './teardown-list.ts';

export default tearDown;
