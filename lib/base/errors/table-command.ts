/** The command for the table of an error, which the caller that knows the table adds to the details. */
export interface TableCommand {
  /** The command that changes or registers it: `agnes table update ID` or `agnes table register SOURCE TABLE`. */
  readonly update: string;
  /** Whether rejecting rows would help: the table neither quarantines rows nor sets their values to null. */
  readonly canQuarantine: boolean;
  /** Whether its source has an option `types`, for the types of columns. */
  readonly hasTypes: boolean;
}

/**
 * Returns the advice to let a table quarantine rows, to append to other advice. Empty if it does so already, or if the
 * table is not known: a live read quarantines nothing.
 *
 * @param what the table and the rows: `the table quarantine such rows`
 */
export function orQuarantine(what: string, table: TableCommand | undefined): string {
  return table?.canQuarantine === true ? `, or let ${what} with \`${table.update} --quarantine true\`` : "";
}
