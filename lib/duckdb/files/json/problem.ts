import { AgnesError } from "../../../base/mod.ts";

/** A value that does not fit its column, as it is written. */
export interface Misfit {
  readonly column: string;
  readonly value: string;
  readonly type: string;
}

/** What is wrong with a JSON file, and where. */
export class JsonProblem extends Error {
  readonly line: number;
  readonly misfit: Misfit | null;
  /** Whether its bytes are no text; the line is only about where. */
  readonly isNotUtf8: boolean;
  /** The value that stands in the place of a row; `null`: the problem is another. */
  readonly strange: string | null;
  /** Whether the file has a key that its table does not know. */
  readonly isNewKey: boolean;

  constructor(
    line: number,
    reason: string,
    more: {
      readonly misfit?: Misfit;
      readonly isNewKey?: boolean;
      readonly isNotUtf8?: boolean;
      readonly strange?: string;
    } = {},
  ) {
    super(reason);
    this.line = line;
    this.misfit = more.misfit ?? null;
    this.isNotUtf8 = more.isNotUtf8 === true;
    this.strange = more.strange ?? null;
    this.isNewKey = more.isNewKey === true;
  }

  /** As an error that names the file. */
  toError(file: string): AgnesError {
    const { line, message, misfit, strange } = this;
    if (misfit !== null) return new AgnesError("file_value_invalid", { file, line, ...misfit });
    if (strange !== null) {
      const advice = "Correct the file, or let the table quarantine rows.";
      return new AgnesError("file_row_invalid", { file, line, reason: message, text: strange, advice });
    }
    const reason = `line ${line}: ${message}`;
    return this.isNewKey
      ? new AgnesError("file_reading_outdated", { file, reason })
      : new AgnesError("file_unreadable", { path: file, reason });
  }
}
