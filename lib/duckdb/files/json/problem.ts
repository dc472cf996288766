import { AgnesError } from "../../../base/mod.ts";

/** A value that does not fit its column, as written. */
export interface Misfit {
  readonly column: string;
  readonly value: string;
  readonly type: string;
}

/** A problem in a JSON file, with its line. */
export class JsonProblem extends Error {
  readonly line: number;
  readonly misfit: Misfit | null;
  /** Whether its bytes are not UTF-8; the line is then approximate. */
  readonly isNotUtf8: boolean;
  /** The text of a row that is not an object; `null` for other problems. */
  readonly nonObject: string | null;
  /** Whether the problem is a key that is not a column of the table. */
  readonly isNewKey: boolean;

  constructor(
    line: number,
    reason: string,
    more: {
      readonly misfit?: Misfit;
      readonly isNewKey?: boolean;
      readonly isNotUtf8?: boolean;
      readonly nonObject?: string;
    } = {},
  ) {
    super(reason);
    this.line = line;
    this.misfit = more.misfit ?? null;
    this.isNotUtf8 = more.isNotUtf8 === true;
    this.nonObject = more.nonObject ?? null;
    this.isNewKey = more.isNewKey === true;
  }

  /** Converts the problem to an error that names the file. */
  toError(file: string): AgnesError {
    const { line, message, misfit, nonObject } = this;
    if (misfit !== null) return new AgnesError("file_value_invalid", { file, line, ...misfit });
    if (nonObject !== null) {
      const details = { file, line, reason: message, text: nonObject, format: "json" } as const;
      return new AgnesError("file_row_invalid", details);
    }
    const reason = `line ${line}: ${message}`;
    return this.isNewKey
      ? new AgnesError("file_reading_outdated", { file, reason })
      : new AgnesError("file_unreadable", { path: file, reason });
  }
}
