import { quoteIdentifier } from "./sql.ts";

/** A parsed DuckDB type. */
export type TypeTree =
  | { readonly kind: "plain"; readonly text: string }
  | { readonly kind: "list"; readonly item: TypeTree; readonly length: number | null }
  | { readonly kind: "fields"; readonly typeName: "STRUCT" | "UNION"; readonly fields: readonly TypeField[] }
  | { readonly kind: "map"; readonly key: TypeTree; readonly value: TypeTree };

/** A field of a struct or a member of a union. */
export interface TypeField {
  readonly name: string;
  readonly type: TypeTree;
}

/**
 * Parses a DuckDB type, such as `STRUCT(a INTEGER, "b c" VARCHAR[])`. Accepts any text: unknown syntax is returned as one
 * plain type.
 */
export function parseType(text: string): TypeTree {
  try {
    const parser = new Parser(text);
    const tree = parser.type();
    return parser.isAtEnd ? tree : plain(text);
  } catch (error) {
    if (!(error instanceof UnknownSyntax)) throw error;
    return plain(text);
  }
}

/** Returns the text of a type with all names quoted, like `duckdbTypeOf`. */
export function printType(tree: TypeTree): string {
  switch (tree.kind) {
    case "plain":
      return tree.text;
    case "list":
      return `${printType(tree.item)}[${tree.length ?? ""}]`;
    case "map":
      return `MAP(${printType(tree.key)}, ${printType(tree.value)})`;
    case "fields": {
      const fields = tree.fields.map(({ name, type }) => `${quoteIdentifier(name)} ${printType(type)}`);
      return `${tree.typeName}(${fields.join(", ")})`;
    }
  }
}

/** Returns whether a type or a nested type matches a predicate. */
export function someType(tree: TypeTree, matches: (text: string) => boolean): boolean {
  switch (tree.kind) {
    case "plain":
      return matches(tree.text);
    case "list":
      return someType(tree.item, matches);
    case "map":
      return someType(tree.key, matches) || someType(tree.value, matches);
    case "fields":
      return tree.fields.some(({ type }) => someType(type, matches));
  }
}

const plain = (text: string): TypeTree => ({ kind: "plain", text });

/** Whether a text is a DuckDB type and nothing else, so that it can be part of SQL. */
export function isTypeText(text: string): boolean {
  if (text.length > TYPE_LENGTH_MAX) return false;
  return !someType(parseType(text), (plainText) => !PLAIN_TYPE.test(plainText));
}

/** Deeper types could exceed the stack. */
const TYPE_LENGTH_MAX = 10_000;
const PLAIN_TYPE =
  /^[A-Za-z_]\w*(?: [A-Za-z_]\w*)*(?:\((?:\d+(?:, ?\d+)?|'[\w/+:-]+')\))?(?: WITH TIME ZONE)?$/;

class UnknownSyntax extends Error {}

class Parser {
  #rest: string;

  constructor(text: string) {
    this.#rest = text.trim();
  }

  get isAtEnd(): boolean {
    return this.#rest === "";
  }

  type(): TypeTree {
    let tree = this.#base();
    for (;;) {
      const suffix = this.#take(/^\[(\d*)\]/);
      if (suffix === null) return tree;
      tree = { kind: "list", item: tree, length: suffix[1] === "" ? null : Number(suffix[1]) };
    }
  }

  #base(): TypeTree {
    const nested = this.#take(/^(STRUCT|UNION|MAP)\(/i)?.[1]?.toUpperCase();
    if (nested === "MAP") {
      const key = this.type();
      this.#need(/^,/);
      const value = this.type();
      this.#need(/^\)/);
      return { kind: "map", key, value };
    }
    if (nested !== undefined) return this.#fields(nested as "STRUCT" | "UNION");
    const [text] = this.#need(/^[A-Za-z_][\w ]*(\((?:'(?:[^']|'')*'|[^()'])*\))?(?: WITH TIME ZONE)?/);
    return plain(text.trim());
  }

  #fields(typeName: "STRUCT" | "UNION"): TypeTree {
    const fields: TypeField[] = [];
    do {
      const [, quoted, bare] = this.#need(/^(?:"((?:[^"]|"")*)"|([^\s"(),]+))\s+/);
      fields.push({ name: quoted?.replaceAll('""', '"') ?? bare!, type: this.type() });
    } while (this.#take(/^,/) !== null);
    this.#need(/^\)/);
    return { kind: "fields", typeName, fields };
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    const found = pattern.exec(this.#rest);
    if (found !== null) this.#rest = this.#rest.slice(found[0].length).trimStart();
    return found;
  }

  #need(pattern: RegExp): RegExpExecArray {
    const found = this.#take(pattern);
    if (found === null) throw new UnknownSyntax();
    return found;
  }
}
