/** Thrown when whoever reads our output has gone away, as `| head` does. */
class OutputClosed extends Error {}

/** Whether an error only means that the output is no longer read. */
export function isOutputClosed(error: unknown): boolean {
  return (
    error instanceof OutputClosed ||
    (error instanceof Error &&
      (isBrokenPipe(error) || (error.cause !== undefined && isOutputClosed(error.cause))))
  );
}

/** Writes to stdout and waits until it is taken, so that a slow reader slows us down. */
export function writeOut(data: string | Uint8Array): Promise<void> {
  // The callback below gets the error; without a listener it would end the process as well.
  if (process.stdout.listenerCount("error") === 0) process.stdout.on("error", () => {});
  return new Promise((resolve, reject) => {
    process.stdout.write(data, (error) => {
      if (error == null) resolve();
      else if (isBrokenPipe(error)) reject(new OutputClosed());
      else void outputError(error).then(reject);
    });
  });
}

/** Loaded here: help, which only prints, must be there at once. */
async function outputError(error: Error): Promise<Error> {
  const { fileError } = await import("../../lib/base/mod.ts");
  return fileError("write", "standard output", error);
}

function isBrokenPipe(error: Error): boolean {
  return "code" in error && (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED");
}
