// Turns errors of the Docker Engine into errors that say what to do.

import { BalancerError, describe, localShortage } from '../../../errors.ts';

/** The result of a call, or a BalancerError that says what was being done. */
export async function attempt<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fromEngineError(what, error);
  }
}

/**
 * For stopping or removing a container: it is fine if it has already stopped or is gone, or if somebody else is
 * removing it.
 */
export function unlessGone(error: { statusCode?: number }): void {
  if (![304, 404, 409].includes(error.statusCode ?? 0)) throw error;
}

/** The BalancerError for an error of the engine: what went wrong, and what a person can do about it. */
export function fromEngineError(what: string, error: unknown): BalancerError {
  if (error instanceof BalancerError) return error;
  const { code, statusCode } = error as { code?: string; statusCode?: number };
  const reason = describe(error);
  const trouble = (advice: string) =>
    new BalancerError('runtime-unavailable', `cannot ${what}: ${advice} (${reason})`, { cause: error });
  const shortage = localShortage(error);
  if (shortage !== undefined) return trouble(shortage);
  if (code === 'EACCES') return trouble('this user may not use Docker: add it to the group `docker`, or be root');
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return trouble('Docker does not run: start it, or set DOCKER_HOST');
  if (code === 'ECONNRESET' || reason.includes('socket hang up'))
    return trouble('Docker broke off: it may be restarting');
  if (reason.includes('no space left on device'))
    return trouble('the disk of Docker is full: docker system prune frees some');
  if (statusCode === 404 && reason.includes('network'))
    return trouble('the network is not there: docker network create it');
  return trouble(statusCode === undefined ? 'Docker did not answer' : `Docker answered ${statusCode}`);
}
