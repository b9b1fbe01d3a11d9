/** What a main.ts imports before anything else: loading the rest takes longest of all, and signals are heard meanwhile. */
import { endEarly } from './early-signal.ts';

endEarly();
