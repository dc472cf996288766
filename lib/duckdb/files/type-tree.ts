import { AgnesError } from "../../base/mod.ts";
import { quoteIdentifier } from "../sql.ts";

/** A DuckDB type, taken apart. */
export type TypeTree =
  | { readonly kind: "scalar"; readonly name: string; readonly parameters: readonly string[] }
  | { readonly kind: "struct"; readonly fields: readonly (readonly [name: string, type: TypeTree])[] }
  | { readonly kind: "list"; readonly element: TypeTree; readonly length: number | null }
  | { readonly kind: "map"; readonly key: TypeTree; readonly value: TypeTree };

/** The names of types that are numbers. */
export const NUMERIC: RegExp = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL)$/;

/** A scalar without parameters. */
export function scalar(name: string): TypeTree {
  return { kind: "scalar", name, parameters: [] };
}

/**
 * Takes a type apart that DuckDB or a person wrote: `STRUCT(a BIGINT, "b c" DECIMAL(18,2)[])`.
 *
 * @throws `invalid_input` when it is not a type
 */
export function parseType(text: string): TypeTree {
  const tokens = text.match(/"(?:[^"]|"")*"|'(?:[^']|'')*'|[^\s()[\],"']+|[()[\],]/g) ?? [];
  const parser = new TypeParser(text, tokens);
  const type = parser.type();
  parser.end();
  return type;
}

/** The type as SQL, for a cast. */
export function formatType(type: TypeTree): string {
  switch (type.kind) {
    case "scalar":
      return type.parameters.length === 0 ? type.name : `${type.name}(${type.parameters.join(",")})`;
    case "struct":
      return `STRUCT(${type.fields.map(([name, field]) => `${quoteIdentifier(name)} ${formatType(field)}`).join(", ")})`;
    case "list":
      return `${formatType(type.element)}[${type.length ?? ""}]`;
    case "map":
      return `MAP(${formatType(type.key)}, ${formatType(type.value)})`;
  }
}

/** Other names of one type; only those that DuckDB prints in another way. */
const ALIASES: Readonly<Record<string, string>> = {
  INT: "INTEGER",
  INT4: "INTEGER",
  INT8: "BIGINT",
  LONG: "BIGINT",
  INT2: "SMALLINT",
  SHORT: "SMALLINT",
  INT1: "TINYINT",
  STRING: "VARCHAR",
  TEXT: "VARCHAR",
  CHAR: "VARCHAR",
  BPCHAR: "VARCHAR",
  BOOL: "BOOLEAN",
  LOGICAL: "BOOLEAN",
  FLOAT8: "DOUBLE",
  FLOAT4: "FLOAT",
  REAL: "FLOAT",
  NUMERIC: "DECIMAL",
  DATETIME: "TIMESTAMP",
  TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
};

class TypeParser {
  readonly #text: string;
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string, tokens: readonly string[]) {
    this.#text = text;
    this.#tokens = tokens;
  }

  type(): TypeTree {
    let type = this.#base();
    while (this.#take("[")) {
      const length = this.#take("]") ? null : Number(this.#next());
      if (length !== null) this.#expect("]");
      type = { kind: "list", element: type, length };
    }
    return type;
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw this.#invalid();
  }

  #base(): TypeTree {
    const word = this.#next();
    const name = word.startsWith('"') ? unquoted(word) : word.toUpperCase();
    if (/^[()[\],]$/.test(word)) throw this.#invalid();
    if (name === "STRUCT" || name === "ROW") return this.#struct();
    if (name === "MAP") {
      this.#expect("(");
      const key = this.type();
      this.#expect(",");
      const value = this.type();
      this.#expect(")");
      return { kind: "map", key, value };
    }
    const words = [name];
    // TIMESTAMP WITH TIME ZONE, DOUBLE PRECISION
    while (/^[A-Za-z]/.test(this.#tokens[this.#at] ?? "")) words.push(this.#next().toUpperCase());
    const parameters: string[] = [];
    if (this.#take("(")) {
      do parameters.push(this.#next());
      while (this.#take(","));
      this.#expect(")");
    }
    const full = words.join(" ").replace(/^DOUBLE PRECISION$/, "DOUBLE");
    const canonical = ALIASES[full] ?? full;
    if (canonical === "DECIMAL" && parameters.length < 2) {
      parameters.push(
        ...["18", "3"].slice(parameters.length === 0 ? 0 : 2),
        ...(parameters.length === 1 ? ["0"] : []),
      );
    }
    return { kind: "scalar", name: canonical, parameters: canonical === "VARCHAR" ? [] : parameters };
  }

  #struct(): TypeTree {
    this.#expect("(");
    const fields: (readonly [string, TypeTree])[] = [];
    do {
      const word = this.#next();
      fields.push([word.startsWith('"') ? unquoted(word) : word, this.type()]);
    } while (this.#take(","));
    this.#expect(")");
    return { kind: "struct", fields };
  }

  #next(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw this.#invalid();
    this.#at += 1;
    return token;
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at += 1;
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw this.#invalid();
  }

  #invalid(): AgnesError {
    return new AgnesError("invalid_input", {
      what: `the type ${this.#text}`,
      reason: "it is not a DuckDB type",
    });
  }
}

function unquoted(word: string): string {
  return word.slice(1, -1).replaceAll('""', '"');
}
