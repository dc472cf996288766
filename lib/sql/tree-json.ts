/**
 * DuckDB's trees contain numbers that `JSON.parse` rejects (`Infinity`) or rounds (integers beyond 2^53). Such a number
 * is stored as a marked string, so that the tree can be converted back to the same SQL.
 */
const MARK = "\0number:";

/** A string or a number, so that digits within strings are not changed. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?(?:Infinity|NaN|inf|nan|\d[\d.eE+-]*)/g;

/** Parses the output of `json_serialize_sql`. */
export function parseTree(text: string): unknown {
  const readable = text.replace(TOKENS, (token) =>
    token.startsWith('"') || (String(Number(token)) === token && Number.isFinite(Number(token)))
      ? token
      : JSON.stringify(MARK + token),
  );
  return JSON.parse(readable);
}

/** Formats a tree of `parseTree`, which may have been changed, for `json_deserialize_sql`. */
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

/** DuckDB cannot deserialize its infinite constants, but it can deserialize a cast from VARCHAR. */
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
