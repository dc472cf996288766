/** The command for the table of an error, which the caller that knows the table adds to the details. */
export interface TableCommand {
  /** The command that changes or registers it: `agnes table update ID` or `agnes table register SOURCE TABLE`. */
  readonly update: string;
  /** Whether rejecting rows would help: the table neither quarantines rows nor sets their values to null. */
  readonly canQuarantine: boolean;
}

/**
 * Returns the advice to let a table quarantine rows, to append to other advice; empty if it does so already.
 *
 * @param what the table and the rows: `the table quarantine such rows`
 */
export function orQuarantine(what: string, table: TableCommand | undefined): string {
  if (table === undefined) return `, or let ${what}`;
  return table.canQuarantine ? `, or let ${what} with \`${table.update} --quarantine true\`` : "";
}
