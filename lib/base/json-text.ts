/** JSON that keeps its number literals: `JSON.parse` would round numbers beyond double precision. */
export class JsonText {
  /** The JSON on one line. */
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
