// Flags that were options once, and what is to be used instead. Whoever still gives one must not find a service
// elsewhere than it was, such as a fresh file of votes in place of the old one.

import { variableOf } from './environment.ts';

const SAMPLE = 'the sample service reads';

const RETIRED: Readonly<Record<string, string>> = {
  'data-dir': `--state-dir is the directory of --keep-scale; ${SAMPLE} DATA_DIR, which --replica-env DATA_DIR=… sets`,
  'votes-url': `${SAMPLE} VOTES_URL, which --replica-env VOTES_URL=… sets`,
};

/** What to use in place of that flag; `undefined` if it never was an option. */
export function insteadOf(flag: string): string | undefined {
  return Object.hasOwn(RETIRED, flag) ? RETIRED[flag] : undefined;
}

/** The variables that are set and were options once. */
export function retiredVariables(environment: Readonly<NodeJS.ProcessEnv>): { variable: string; instead: string }[] {
  return Object.entries(RETIRED)
    .map(([flag, instead]) => ({ variable: variableOf(flag), instead }))
    .filter(({ variable }) => (environment[variable] ?? '') !== '');
}
