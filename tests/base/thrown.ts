/** Unusual values that a plugin may throw; each contains the secret if possible. */
export const STRANGE: Readonly<Record<string, (secret: string) => unknown>> = {
  "an error that is its own cause": (secret) => {
    const error: Error & { cause?: unknown } = new Error(`circular ${secret}`);
    error.cause = error;
    return error;
  },
  "two errors that are the cause of each other": (secret) => {
    const first: Error & { cause?: unknown } = new Error("first");
    first.cause = new Error(`second ${secret}`, { cause: first });
    return first;
  },
  "an endless chain of causes": (secret) => {
    class Endless extends Error {
      override get cause(): unknown {
        return new Endless(`again ${secret}`);
      }
    }
    return new Endless("first");
  },
  "a long chain of causes": (secret) => {
    let error = new Error(`root ${secret}`);
    for (let i = 0; i < 5_000; i += 1) error = new Error(`level ${i}`, { cause: error });
    return error;
  },
  "an error whose cause throws": () =>
    Object.defineProperty(new Error("cause"), "cause", { get: () => raise("no cause") }),
  "an error whose message throws": () =>
    Object.defineProperty(new Error("x"), "message", { get: () => raise("no message") }),
  "an error whose stack throws": (secret) =>
    Object.defineProperty(new Error(`stack ${secret}`), "stack", { get: () => raise("no stack") }),
  "an error whose message is an object": (secret) => Object.assign(new Error("x"), { message: { secret } }),
  "an error with a code that is an object": (secret) =>
    Object.assign(new Error("code"), { name: "AgnesError", code: { secret }, hint: 3 }),
  "an error with a large graph of shared objects": (secret) => {
    let graph: unknown = secret;
    for (let i = 0; i < 6; i += 1) graph = Array.from({ length: 200 }, () => graph);
    return Object.assign(new Error("graph"), { graph });
  },
  "errors that stand for each other": () => {
    const error = new AggregateError([], "several");
    error.errors.push(error);
    return error;
  },
  "an object without a prototype": (secret) => Object.assign(Object.create(null) as object, { secret }),
  "an object whose text throws": () => ({ toString: () => raise("no text") }),
  "a proxy that throws": () =>
    new Proxy(new Error("x"), { get: () => raise("no"), getPrototypeOf: () => raise("no") }),
  "a symbol": () => Symbol("s"),
};

function raise(message: string): never {
  throw new Error(message);
}
