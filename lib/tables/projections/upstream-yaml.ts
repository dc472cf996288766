import { parseDocument, YAMLParseError, type CollectionTag, type Document, type ScalarTag } from "yaml";

/**
 * Parses YAML like the Python library of the earlier system. That library writes the strings `1e3` and `0o17` without
 * quotes, which YAML 1.2 reads as numbers, and reads `017`, `yes` and `12:30` as other types.
 */
export function parseUpstreamYaml(block: string): Document.Parsed {
  const text = block.replace(/[ \t]*([\u2028\u2029])[ \t]*/g, "$1");
  const document = parseDocument(text, {
    uniqueKeys: true,
    merge: true,
    schema: "failsafe",
    customTags: (tags: readonly unknown[]) => [...(tags as (CollectionTag | ScalarTag)[]), ...scalars],
  });
  // That library reads a line separator as an indented line break; beside another line break, this one does not.
  const doubtful = /[\u2028\u2029]\n|\n[\u2028\u2029]/.exec(text);
  if (doubtful !== null) {
    const reason = "a line separator (U+2028) is next to a line break";
    document.errors.push(new YAMLParseError([doubtful.index, doubtful.index], "UNEXPECTED_TOKEN", reason));
  }
  return document;
}

const digits = (text: string): string => text.replaceAll("_", "");
const signed = (text: string, read: (plain: string) => number): number =>
  text.startsWith("-") ? -read(text.slice(1)) : read(text.replace(/^\+/, ""));

/** Parses a sexagesimal number: `1:30` is 90. */
const sexagesimal = (text: string): number =>
  text.split(":").reduce((sum, part) => sum * 60 + Number(digits(part)), 0);

function scalar(kind: string, test: RegExp, resolve: (text: string) => unknown): ScalarTag {
  return { tag: `tag:yaml.org,2002:${kind}`, default: true, test, resolve };
}

const scalars: readonly ScalarTag[] = [
  scalar("null", /^(?:~|null|Null|NULL|)$/, () => null),
  scalar("bool", /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/, () => true),
  scalar("bool", /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/, () => false),
  scalar("int", /^[-+]?0b[0-1_]+$/, (text) => signed(digits(text), Number)),
  scalar("int", /^[-+]?0x[0-9a-fA-F_]+$/, (text) => signed(digits(text), Number)),
  scalar("int", /^[-+]?0[0-7_]+$/, (text) => signed(digits(text), (octal) => Number.parseInt(octal, 8))),
  scalar("int", /^[-+]?(?:0|[1-9][0-9_]*)$/, (text) => signed(digits(text), Number)),
  scalar("int", /^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+$/, (text) => signed(text, sexagesimal)),
  scalar("float", /^[-+]?(?:[0-9][0-9_]*)?\.[0-9_]*(?:[eE][-+][0-9]+)?$/, (text) =>
    /[0-9]/.test(text) ? signed(digits(text), Number) : text,
  ),
  scalar("float", /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*$/, (text) => signed(text, sexagesimal)),
  scalar("float", /^[-+]?\.(?:inf|Inf|INF)$/, (text) => signed(text, () => Infinity)),
  scalar("float", /^\.(?:nan|NaN|NAN)$/, () => Number.NaN),
];
