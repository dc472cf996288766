/** Thrown when the reader of stdout has closed the pipe, as `| head` does. */
class OutputClosed extends Error {}

/** Maximum number of causes to follow; the causes of a plugin's error may form a cycle. */
const CAUSES_MAX = 10;

/** Whether an error means that stdout was closed, and not another pipe of a connector. */
export function isOutputClosed(error: unknown): boolean {
  try {
    return isBrokenPipe(error) || isClosedBelow(error);
  } catch {
    // An error that cannot be inspected comes from a plugin.
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

/** The original write function of stdout. */
let reserved: { readonly own: Write; readonly others: Write } | undefined;

/** Reserves stdout for `writeOut`: other writes to `process.stdout` go to `writeOther`. */
export function reserveStdout(writeOther: (text: string) => void): void {
  const { stdout } = process;
  if (stdout.write === reserved?.others) return;
  const decoder = new TextDecoder();
  const others = (data: string | Uint8Array, ...rest: readonly unknown[]) => {
    writeOther(typeof data === "string" ? data : decoder.decode(data, { stream: true }));
    const done = rest.find((one) => typeof one === "function");
    if (done !== undefined) process.nextTick(done);
    // Otherwise callers would wait for stdout to drain.
    return true;
  };
  reserved = { own: stdout.write.bind(stdout), others: others as Write };
  stdout.write = reserved.others;
}

/** Writes to stdout and waits until the data is accepted, for backpressure. */
export function writeOut(data: string | Uint8Array): Promise<void> {
  // The callback below receives the error, but without a listener the error would also end the process.
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

/** Imported on demand, so that help starts fast. */
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
