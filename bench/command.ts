// How commands of the bench and of the scripts begin and end: for a wrong argument with a message in one line and exit
// code 2, as ringmaster itself does, and for any other error with exit code 1.

/**
 * @param read turns the arguments into a request. Whatever it throws is reported as a wrong argument. If it returns a
 * string, that is printed and nothing is run.
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
