// Tests have to cover the files of the pure core completely. The rest is tested by what it does.
import { globSync } from 'node:fs';

const core = globSync('lib/core/**/*.ts').filter((file) => !file.endsWith('ports.ts'));

export default (test) => (test.startsWith('test/core/') || test.startsWith('test/simulation/') ? core : null);
