// Says which environment variable is which option, and reports variables that are none, so that a misspelt one is not
// silently ignored. Pure.

import { nearest } from './nearest.ts';

const PREFIX = 'RINGMASTER_';

// Kubernetes sets these in every container for a service named ringmaster, or ringmaster-something
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
const SERVICE_NAME = /^RINGMASTER_(.*_)?(SERVICE_(HOST|PORT)(_.*)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;
const SERVICE_ADDRESS = /^(tcp|udp|sctp):\/\/[^/]+:\d+$/;

/** A variable that is not used, and why. */
export interface IgnoredVariable {
  readonly variable: string;
  readonly reason: string;
}

/** The variable of an option. */
export function variableOf(flag: string): string {
  return `${PREFIX}${flag.toUpperCase().replaceAll('-', '_')}`;
}

/** What the environment says about an option; `undefined` if it says nothing. An empty text says nothing. */
export function readVariable(flag: string, environment: Readonly<NodeJS.ProcessEnv>): string | undefined {
  const variable = variableOf(flag);
  const written = environment[variable] ?? '';
  return written === '' || isServiceAddress(variable, written) ? undefined : written;
}

/**
 * Gives the variables that look as if they were for us but are not. Variables that Kubernetes sets are left out if they
 * have no name of an option.
 */
export function ignoredVariables(
  flags: readonly string[],
  environment: Readonly<NodeJS.ProcessEnv>,
): IgnoredVariable[] {
  const known = flags.map(variableOf);
  return Object.entries(environment).flatMap(([variable, written = '']) => {
    if (!variable.startsWith(PREFIX) || written === '' || SERVICE_NAME.test(variable)) return [];
    if (isServiceAddress(variable, written)) {
      return [
        { variable, reason: `${written} is what Kubernetes sets for a service of that name, and no value of ours` },
      ];
    }
    return known.includes(variable)
      ? []
      : [{ variable, reason: `there is no such option${suggestion(variable, known)}` }];
  });
}

function isServiceAddress(variable: string, written: string): boolean {
  return variable.endsWith('_PORT') && SERVICE_ADDRESS.test(written);
}

// Names are long and alike, so more letters may be wrong than in a flag.
const MOST_WRONG_LETTERS = 4;

function suggestion(variable: string, known: readonly string[]): string {
  const best = nearest(variable, known, MOST_WRONG_LETTERS);
  return best === undefined ? '; --help lists them' : `: did you mean ${best}?`;
}
