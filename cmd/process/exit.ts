/** Ends the process, also after `refuseExit`. */
export const exitProcess: (status: number) => never = process.exit.bind(process);

/** Makes `process.exit` throw, because a plugin that calls it would end a command as if it had succeeded. */
export function refuseExit(): void {
  process.exit = (status) => {
    throw new Error(
      `it called process.exit(${status ?? ""}), which would end Agnes as well; throw an error instead`,
    );
  };
}
