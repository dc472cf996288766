import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { parseSync, type Comment } from "oxc-parser";

import { ROOT, type SyntaxNode } from "../source.ts";
import { page } from "./markdown.ts";

/** One thing a module exports. */
export interface PublicSymbol {
  readonly name: string;
  readonly kind: "function" | "class" | "interface" | "type" | "value" | "namespace";
  /** The docstring without its stars; empty when there is none. */
  readonly doc: string;
  /** The declaration up to its body. */
  readonly signature: string;
  /** The file that declares it, from the root. */
  readonly path: string;
}

/** The page of one module of the package. */
export function modulePage(specifier: string, path: string): string {
  const symbols = publicSymbols(path).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return page(
    specifier,
    `\`import { … } from "${specifier}"\``,
    ...symbols.map(({ name, doc, signature }) =>
      [`## \`${name}\``, "```ts", signature, "```", "", renderDoc(doc)].join("\n").trim(),
    ),
  );
}

/** Everything a face exports, followed to where it is declared. */
export function publicSymbols(path: string): readonly PublicSymbol[] {
  const text = readFileSync(join(ROOT, path), "utf8");
  const { module } = parseSync(path, text);
  const found: PublicSymbol[] = [];
  for (const item of module.staticExports) {
    for (const entry of item.entries) {
      const name = entry.exportName.name;
      const target = entry.moduleRequest?.value;
      if (target === undefined) {
        if (name !== null && name !== undefined) found.push(declared(path, name));
      } else if (!target.startsWith(".")) {
        if (name)
          found.push({
            name,
            kind: "namespace",
            doc: `The package \`${target}\`.`,
            signature: `namespace ${name}`,
            path,
          });
      } else {
        const file = join(dirname(path), target);
        if (entry.importName.kind === "AllButDefault" && !name) found.push(...publicSymbols(file));
        else if (name) found.push({ ...resolve(file, entry.importName.name ?? name), name });
      }
    }
  }
  return found;
}

function resolve(path: string, name: string): PublicSymbol {
  const { module } = parseSync(path, readFileSync(join(ROOT, path), "utf8"));
  for (const item of module.staticExports) {
    for (const entry of item.entries) {
      if (entry.exportName.name === name && entry.moduleRequest) {
        const file = join(dirname(path), entry.moduleRequest.value);
        return resolve(file, entry.importName.name ?? name);
      }
    }
  }
  return declared(path, name);
}

/** Finds a declaration and its docstring in a file. */
export function declared(path: string, name: string, source?: string): PublicSymbol {
  const text = source ?? readFileSync(join(ROOT, path), "utf8");
  const { program, comments } = parseSync(path, text);
  for (const statement of program.body as unknown as SyntaxNode[]) {
    const node = (statement["declaration"] ?? statement) as SyntaxNode;
    if (!namesOf(node).includes(name)) continue;
    const start = Number(statement["start"]);
    const before = comments.filter(
      (comment) =>
        comment.type === "Block" &&
        comment.value.startsWith("*") &&
        comment.end <= start &&
        /^\s*(\/\/[^\n]*\n\s*)*$/.test(text.slice(comment.end, start)),
    );
    const doc = before.at(-1)?.value ?? "";
    return { name, kind: kindOf(node), doc: stars(doc), signature: signatureOf(node, text, comments), path };
  }
  throw new Error(`${path} exports ${name}, but does not declare it`);
}

function namesOf(node: SyntaxNode): readonly string[] {
  const nameOf = (item: unknown) => ((item as SyntaxNode | undefined)?.["name"] as string | undefined) ?? "";
  if (node["type"] === "VariableDeclaration") {
    return (node["declarations"] as SyntaxNode[]).map((item) => nameOf(item["id"]));
  }
  return [nameOf(node["id"])];
}

function kindOf(node: SyntaxNode): PublicSymbol["kind"] {
  switch (node["type"]) {
    case "FunctionDeclaration":
    case "TSDeclareFunction":
      return "function";
    case "ClassDeclaration":
      return "class";
    case "TSInterfaceDeclaration":
      return "interface";
    case "TSTypeAliasDeclaration":
      return "type";
    default:
      return isArrowFunction(node) ? "function" : "value";
  }
}

function isArrowFunction(node: SyntaxNode): boolean {
  const [declaration] = (node["declarations"] ?? []) as SyntaxNode[];
  return (declaration?.["init"] as SyntaxNode | undefined)?.["type"] === "ArrowFunctionExpression";
}

function signatureOf(node: SyntaxNode, text: string, comments: readonly Comment[]): string {
  const start = Number(node["start"]);
  const body = node["body"] as SyntaxNode | undefined;
  if (node["type"] === "TSInterfaceDeclaration" || node["type"] === "TSTypeAliasDeclaration") {
    return text.slice(start, Number(node["end"])).trim();
  }
  if (node["type"] === "ClassDeclaration") return classSignature(node, text, comments);
  if (body !== undefined && body !== null) return text.slice(start, Number(body["start"])).trim();
  const [declaration] = (node["declarations"] ?? []) as SyntaxNode[];
  const value = declaration?.["init"] as SyntaxNode | undefined;
  const end = isArrowFunction(node)
    ? Number((value!["body"] as SyntaxNode)["start"])
    : Number(value?.["start"] ?? node["end"]);
  return text
    .slice(start, end)
    .replace(/\s*=>?\s*\(?\s*$/, "")
    .replace(/\s*=\s*$/, "")
    .trim();
}

/** The members of a class that are not private, with their docstrings, without bodies. */
function classSignature(node: SyntaxNode, text: string, comments: readonly Comment[]): string {
  const body = node["body"] as SyntaxNode;
  const members = (body["body"] as SyntaxNode[]).filter((member) => {
    const key = member["key"] as SyntaxNode | undefined;
    return key?.["type"] !== "PrivateIdentifier" && member["accessibility"] !== "private";
  });
  const lines = members.map((member) => {
    const inner = (member["value"] as SyntaxNode | undefined)?.["body"] as SyntaxNode | undefined;
    const end = inner === undefined || inner === null ? Number(member["end"]) : Number(inner["start"]);
    const start = Number(member["start"]);
    const doc = comments.find((one) => one.end <= start && text.slice(one.end, start).trim() === "");
    return `  ${text.slice(doc?.value.startsWith("*") ? doc.start : start, end).trim()}`;
  });
  return [`${text.slice(Number(node["start"]), Number(body["start"])).trim()} {`, ...lines, "}"].join("\n");
}

/** A docstring without its stars. */
function stars(comment: string): string {
  return comment
    .replace(/^\*/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""))
    .join("\n")
    .trim();
}

function renderDoc(doc: string): string {
  return doc
    .replace(/^@example\s*/gm, "\n**Example**\n\n")
    .replace(/^@throws\s+/gm, "\n**Throws** ")
    .replace(/^@returns\s+/gm, "\n**Returns** ")
    .replace(/^@param\s+(\S+)\s+/gm, "\n- `$1`: ")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}
