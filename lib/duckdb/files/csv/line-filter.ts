import { CsvStructure, type RecordSyntax } from "./structure.ts";

/**
 * Empties lines that are not data: skipped lines at the start, and comments, which begin outside quotes. Line ends stay,
 * so line numbers do not change.
 */
export class LineFilter {
  readonly #comment: string;
  readonly #structure: CsvStructure;
  #skipLines: number;
  #rest = "";
  #isLineStart = true;
  #isDropping = false;

  constructor(skipLines: number, comment: string, syntax: RecordSyntax) {
    this.#skipLines = skipLines;
    this.#comment = comment;
    this.#structure = new CsvStructure(syntax);
  }

  /** Adds text and returns the part that is ready. */
  push(more: string, isEnd: boolean): string {
    if (this.#skipLines === 0 && this.#comment === "" && this.#rest === "" && !this.#isDropping) return more;
    const structure = this.#structure;
    const text = this.#rest + more;
    const ready: string[] = [];
    const limit = isEnd ? text.length : text.length - structure.lookAhead;
    let at = 0;
    let from = 0;
    while (at < limit) {
      if (this.#isLineStart && !structure.isQuoted && !this.#isDropping) {
        this.#isDropping =
          this.#skipLines > 0 || (this.#comment !== "" && text.startsWith(this.#comment, at));
        if (this.#isDropping) {
          ready.push(text.slice(from, at));
          from = at;
        }
      }
      this.#isLineStart = false;
      if (this.#isDropping) {
        if (text[at] !== "\n" && text[at] !== "\r") {
          at += 1;
          continue;
        }
        from = at;
        this.#isDropping = false;
        this.#skipLines = Math.max(0, this.#skipLines - 1);
      }
      if (structure.take(text, at) === "break") this.#isLineStart = true;
      at += structure.length;
    }
    if (!this.#isDropping) ready.push(text.slice(from, at));
    this.#rest = text.slice(at);
    return ready.join("");
  }
}
