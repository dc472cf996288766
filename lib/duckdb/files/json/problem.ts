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
  /** Whether the file has a key that its table does not know. */
  readonly isNewKey: boolean;

  constructor(
    line: number,
    reason: string,
    more: { readonly misfit?: Misfit; readonly isNewKey?: boolean } = {},
  ) {
    super(reason);
    this.line = line;
    this.misfit = more.misfit ?? null;
    this.isNewKey = more.isNewKey === true;
  }

  /** As an error that names the file. */
  toError(file: string): AgnesError {
    const { line, message, misfit } = this;
    if (misfit !== null) return new AgnesError("file_value_invalid", { file, line, ...misfit });
    const reason = `line ${line}: ${message}`;
    return this.isNewKey
      ? new AgnesError("file_reading_outdated", { file, reason })
      : new AgnesError("file_unreadable", { path: file, reason });
  }
}
