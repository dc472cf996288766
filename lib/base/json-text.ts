/** JSON that is written as it was read: `JSON.parse` would round numbers that no double holds. */
export class JsonText {
  /** One line. */
  readonly text: string;

  /** @param text JSON, which may have NaN and infinities as DuckDB writes them; they become strings */
  constructor(text: string) {
    this.text = text.replaceAll(TOKENS, (token) => {
      if (/^\s/.test(token)) return "";
      return token.startsWith('"') ? token : `"${token}"`;
    });
  }
}

const TOKENS = /"(?:[^"\\]|\\.)*"|\s+|-?(?:Infinity|NaN)/g;
