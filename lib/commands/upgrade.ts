// `ringmaster upgrade`: has another process take the place of the balancer that runs, and says how that goes.

import type { Subcommand } from './subcommand.ts';

export const UPGRADE: Subcommand = {
  usage: '[options]',
  help: 'has a new process take the place of the balancer that those options name, without a lost request',
  run: async (args) => {
    // Loaded here, since it is for this word alone.
    const { askForUpgrade } = await import('../upgrade/command.ts');
    await askForUpgrade(args);
    return 0;
  },
};
