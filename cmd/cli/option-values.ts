/** The arguments before `--`. */
export function beforeDashes(rawArgs: readonly string[]): readonly string[] {
  const dashes = rawArgs.indexOf("--");
  return dashes === -1 ? rawArgs : rawArgs.slice(0, dashes);
}

/** All values of an option in checked arguments, in their order. */
export function optionValues(rawArgs: readonly string[], option: string): readonly string[] {
  const args = beforeDashes(rawArgs);
  return args.flatMap((arg, at) => {
    if (arg === option) return args[at + 1] ?? [];
    return arg.startsWith(`${option}=`) ? [arg.slice(option.length + 1)] : [];
  });
}
