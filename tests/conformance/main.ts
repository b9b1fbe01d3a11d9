/**
 * `npm run conformance -- --url URL`: does this service keep the participant protocol?
 */
import { conformance } from './conformance.ts';

process.exitCode = await conformance(process.argv.slice(2), (line) => console.log(line));
