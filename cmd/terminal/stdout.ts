/** Thrown when whoever reads our output has gone away, as `| head` does. */
class OutputClosed extends Error {}

/** How many causes of an error are followed; those of a plugin's may lead back to itself. */
const CAUSES_MAX = 10;

/** Whether an error only means that the output is no longer read. A connector may lose a pipe of its own. */
export function isOutputClosed(error: unknown): boolean {
  try {
    return isBrokenPipe(error) || isClosedBelow(error);
  } catch {
    // An error that cannot be read is none of ours.
    return false;
  }
}

function isClosedBelow(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < CAUSES_MAX && cause instanceof Error; depth += 1) {
    if (cause instanceof OutputClosed) return true;
    const isFile = "code" in cause && cause.code === "file_failed";
    cause = cause.cause;
    if (isFile && isBrokenPipe(cause)) return true;
  }
  return false;
}

type Write = typeof process.stdout.write;

/** How this process writes to stdout while all others write to stderr there. */
let reserved: { readonly own: Write; readonly others: Write } | undefined;

/** Keeps stdout for `writeOut`: what others write to `process.stdout` from now on goes to stderr. */
export function reserveStdout(): void {
  const { stdout, stderr } = process;
  if (stdout.write === reserved?.others) return;
  const others = (...args: Parameters<Write>) => {
    stderr.write(...args);
    // Otherwise they would wait for stdout to drain.
    return true;
  };
  reserved = { own: stdout.write.bind(stdout), others: others as Write };
  stdout.write = reserved.others;
}

/** Writes to stdout and waits until it is taken, so that a slow reader slows us down. */
export function writeOut(data: string | Uint8Array): Promise<void> {
  // The callback below gets the error; without a listener it would end the process as well.
  const { stdout } = process;
  if (stdout.listenerCount("error") === 0) stdout.on("error", () => {});
  const write = stdout.write === reserved?.others ? reserved.own : stdout.write.bind(stdout);
  return new Promise((resolve, reject) => {
    write(data, (error) => {
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

function isBrokenPipe(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED")
  );
}
