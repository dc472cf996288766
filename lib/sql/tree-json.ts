/**
 * DuckDB writes its trees with numbers that `JSON.parse` refuses (`Infinity`) or rounds (whole numbers beyond 2^53).
 * Such a number is kept as a marked text, so that a tree turned back into SQL has the numbers it had before.
 */
const MARK = "\0number:";

/** A text or a number, so that what looks like a number inside a text stays as it is. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?(?:Infinity|NaN|inf|nan|\d[\d.eE+-]*)/g;

/** Reads a tree of `json_serialize_sql`. */
export function parseTree(text: string): unknown {
  const readable = text.replace(TOKENS, (token) =>
    token.startsWith('"') || (String(Number(token)) === token && Number.isFinite(Number(token)))
      ? token
      : JSON.stringify(MARK + token),
  );
  return JSON.parse(readable);
}

/** Writes a tree of `parseTree`, perhaps changed, for `json_deserialize_sql`. */
export function formatTree(tree: unknown): string {
  const text = JSON.stringify(tree, (_key, value: unknown) => (isInfinite(value) ? castOf(value) : value));
  return text.replace(/"\\u0000number:([^"]*)"/g, "$1");
}

interface InfiniteConstant {
  readonly query_location: unknown;
  readonly alias: unknown;
  readonly value: { readonly type: unknown; readonly is_null: boolean; readonly value: string };
}

function isInfinite(node: unknown): node is InfiniteConstant {
  if (node === null || typeof node !== "object" || !("class" in node) || node.class !== "CONSTANT")
    return false;
  const { value } = (node as unknown as InfiniteConstant).value;
  return typeof value === "string" && value.startsWith(MARK) && /inf/i.test(value);
}

/** DuckDB cannot read back the infinite constants it writes, but it reads a cast of their text. */
function castOf({ alias, query_location, value }: InfiniteConstant): unknown {
  const text = {
    type: { id: "VARCHAR", type_info: null },
    is_null: false,
    value: value.value.slice(MARK.length),
  };
  return {
    class: "CAST",
    type: "OPERATOR_CAST",
    alias,
    query_location,
    child: { class: "CONSTANT", type: "VALUE_CONSTANT", alias: "", query_location, value: text },
    cast_type: value.type,
    try_cast: false,
  };
}
