// Which files a test has to cover whole: those of the pure core. The shell is tested by what it does.
import { globSync } from 'node:fs';

const core = globSync('lib/core/**/*.ts').filter((file) => !file.endsWith('ports.ts'));

export default (test) => (test.startsWith('test/core/') || test.startsWith('test/simulation/') ? core : null);
