// How a command of the bench and of the scripts begins and ends: a wrong word on its command line is one line and exit code 2, as with
// ringmaster itself, another error is exit code 1. What the words mean is each command's business.

/**
 * @param read makes a request of the words; whatever it throws is the fault of who wrote them. A string is printed, and is all.
 * @param run does what is requested.
 */
export async function runCommand<T extends object>(
  name: string,
  read: (words: readonly string[]) => string | T | Promise<string | T>,
  run: (request: T) => Promise<void>,
): Promise<void> {
  const fail = (error: unknown, exitCode: number) => {
    console.error(`${name}: ${error instanceof Error ? error.message : error}`);
    process.exitCode = exitCode;
  };
  let request: string | T;
  try {
    request = await read(process.argv.slice(2));
  } catch (error) {
    fail(error, 2);
    return;
  }
  if (typeof request === 'string') {
    process.stdout.write(request);
    return;
  }
  try {
    await run(request);
  } catch (error) {
    fail(error, 1);
  }
}
