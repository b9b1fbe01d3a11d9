/* What takes a minute and more, for `npm run test:long`: on real parts as jest.config.js has them. */
import { longProject } from './jest.config.js';

export default { maxWorkers: 2, testTimeout: 60_000, projects: [longProject] };
