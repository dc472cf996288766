const C_LIBRARIES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"],
  darwin: ["libSystem.B.dylib"],
};

/** Opens the C library of this system; `undefined` if no known name opens. */
export function withCLibrary<T>(use: (name: string) => T): T | undefined {
  for (const name of C_LIBRARIES[process.platform] ?? []) {
    try {
      return use(name);
    } catch (error) {
      // Not this C library: try the next name.
      if (!(error instanceof Error)) throw error;
    }
  }
  return undefined;
}
