import { isSpaceBeforeQuote, type RecordSyntax } from "./records.ts";

/**
 * Empties the lines of a text that are no data: those to skip at its start, which may hold anything, and comments, which
 * begin outside of quotes. The line ends stay, so lines keep their numbers.
 */
export class LineFilter {
  readonly #comment: string;
  #skipLines: number;
  #rest = "";
  #isLineStart = true;
  #isQuoted = false;
  #isValueStart = true;
  #isDropping = false;

  constructor(skipLines: number, comment: string) {
    this.#skipLines = skipLines;
    this.#comment = comment;
  }

  /** Takes more of the text and gives what is ready of it. */
  push(more: string, isEnd: boolean, syntax: RecordSyntax): string {
    const { delimiter, quote, escape } = syntax;
    if (this.#skipLines === 0 && this.#comment === "" && this.#rest === "" && !this.#isDropping) return more;
    const text = this.#rest + more;
    const ready: string[] = [];
    const limit = isEnd ? text.length : text.length - Math.max(2, delimiter.length);
    let at = 0;
    let from = 0;
    while (at < limit) {
      const character = text[at]!;
      if (this.#isLineStart && !this.#isQuoted && !this.#isDropping) {
        this.#isDropping =
          this.#skipLines > 0 || (this.#comment !== "" && text.startsWith(this.#comment, at));
        if (this.#isDropping) {
          ready.push(text.slice(from, at));
          from = at;
        }
      }
      this.#isLineStart = false;
      const isBreak = character === "\n" || character === "\r";
      if (this.#isDropping) {
        if (!isBreak) {
          at += 1;
          continue;
        }
        from = at;
        this.#isDropping = false;
        this.#skipLines = Math.max(0, this.#skipLines - 1);
      }
      if (this.#isQuoted) {
        const isEscaped =
          character === escape && (text[at + 1] === quote || (escape !== quote && text[at + 1] === escape));
        if (isEscaped) at += 1;
        else if (character === quote) this.#isQuoted = false;
        at += 1;
      } else if (isBreak) {
        at += character === "\r" && text[at + 1] === "\n" ? 2 : 1;
        this.#isLineStart = this.#isValueStart = true;
      } else if (text.startsWith(delimiter, at)) {
        at += delimiter.length;
        this.#isValueStart = true;
      } else {
        if (quote !== "" && character === quote && this.#isValueStart) this.#isQuoted = true;
        this.#isValueStart &&= isSpaceBeforeQuote(text, at, syntax);
        at += 1;
      }
    }
    if (!this.#isDropping) ready.push(text.slice(from, at));
    this.#rest = text.slice(at);
    return ready.join("");
  }
}
