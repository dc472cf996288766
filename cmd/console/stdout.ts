/** Thrown when whoever reads our output has gone away, as `| head` does. */
class OutputClosed extends Error {}

/** Whether an error only says that nobody reads the output any more. */
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
      else reject(isBrokenPipe(error) ? new OutputClosed() : error);
    });
  });
}

function isBrokenPipe(error: Error): boolean {
  return "code" in error && (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED");
}
