const C_LIBRARIES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"],
  darwin: ["libSystem.B.dylib"],
};

/** Uses the C library of this system by its name; `undefined` where none that is known opens. */
export function withCLibrary<T>(use: (name: string) => T): T | undefined {
  for (const name of C_LIBRARIES[process.platform] ?? []) {
    try {
      return use(name);
    } catch (error) {
      // Another C library: the next name may be the one.
      if (!(error instanceof Error)) throw error;
    }
  }
  return undefined;
}
