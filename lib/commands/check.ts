// `ringmaster check FILE`: says what is wrong with a configuration file, all of it, and where.

import { faultsOfFile } from '../settings/file/settings.ts';
import { OptionError } from '../settings/options.ts';
import type { Subcommand } from './subcommand.ts';

export const CHECK: Subcommand = {
  usage: 'FILE',
  help: 'says what is wrong with a configuration file, and where; exit code 1 if anything is',
  run: async (args) => {
    const [path] = args;
    if (path === undefined || path === '' || args.length > 1 || path.startsWith('-')) {
      throw new OptionError('check takes one file: ringmaster check ringmaster.json');
    }
    const faults = await faultsOfFile(path).catch((error) => {
      if (error instanceof OptionError) return [error.message];
      throw error;
    });
    for (const fault of faults) console.error(fault);
    if (faults.length === 0) console.log(`${path}: no mistake found`);
    return faults.length === 0 ? 0 : 1;
  },
};
