import { isMap, isScalar, isSeq, type Document, type LineCounter, type Node } from "yaml";

import type { PlaceOf } from "./placed-error.ts";

/**
 * Locates keys of errors (`sources.crm.options.url`) in a document. The position of a missing key is that of the
 * setting that lacks it.
 */
export function placesIn(document: Document.Parsed, lines: LineCounter, path: string): PlaceOf {
  return (key) => {
    const node = find(document.contents, key) ?? document.contents;
    if (node?.range == null) return undefined;
    const { line, col } = lines.linePos(node.range[0]);
    return `${path}:${line}:${col}`;
  };
}

/** The node of the longest existing prefix of a key path; keys may contain dots. */
function find(node: unknown, key: string): Node | undefined {
  if (isSeq(node)) {
    const [, index, rest = ""] = /^(\d+)(?:\.(.*))?$/s.exec(key) ?? [];
    const item = index === undefined ? undefined : (node.items[Number(index)] as Node | undefined);
    return item === undefined ? undefined : (find(item, rest) ?? item);
  }
  if (!isMap(node)) return undefined;
  let best: Node | undefined;
  for (const { key: at, value } of node.items) {
    if (!isScalar(at)) continue;
    const name = String(at.value);
    if (key === name) return at;
    if (key.startsWith(`${name}.`)) best ??= find(value, key.slice(name.length + 1)) ?? at;
  }
  return best;
}
