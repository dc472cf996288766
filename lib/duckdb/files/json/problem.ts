import { AgnesError, shown } from "../../../base/mod.ts";

/** What is wrong with a JSON file, and where. */
export class JsonProblem extends Error {
  readonly line: number;
  /** For a value that does not fit: its column, itself as it is written, and the type. */
  readonly misfit: { readonly column: string; readonly value: string; readonly type: string } | null;

  constructor(line: number, reason: string, misfit: JsonProblem["misfit"] = null) {
    super(reason);
    this.line = line;
    this.misfit = misfit;
  }

  /** As an error that names the file. */
  toError(file: string): AgnesError {
    const { line, message: reason, misfit } = this;
    if (misfit === null) return new AgnesError("file_unreadable", { path: file, reason: `line ${line}: ${reason}` });
    return new AgnesError("bad_value", { file, line, ...misfit, reason: `${shown(misfit.value)} ${reason}` });
  }
}
