import { describe, expect, test } from "bun:test";

import { validate } from "@readme/openapi-parser";
import { Ajv2020 } from "ajv/dist/2020.js";

import { served } from "../harness.ts";

async function documentText(): Promise<string> {
  await using shop = await served();
  return await (await shop.request("/openapi.json")).text();
}

/** All schemas of a document, by place. */
function schemasOf(document: unknown): readonly (readonly [place: string, schema: object])[] {
  const found: (readonly [string, object])[] = [];
  const visit = (value: unknown, place: string) => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      const at = `${place}/${key}`;
      if (key === "schema") found.push([at, child as object]);
      else if (place === "/components/schemas") found.push([at, child as object]);
      else visit(child, at);
    }
  };
  visit(document, "");
  return found;
}

/** What is wrong with a document. */
async function problemsOf(text: string): Promise<readonly string[]> {
  const document: unknown = JSON.parse(text);
  const ajv = new Ajv2020({ strict: false });
  const badSchemas = schemasOf(document).filter(([, schema]) => ajv.validateSchema(schema) !== true);
  // It resolves references in place.
  const result = await validate(document as Parameters<typeof validate>[0]);
  const problems = result.valid ? [] : result.errors.map(({ message }) => message);
  return [...problems, ...badSchemas.map(([place]) => `${place} is not a JSON Schema`)];
}

describe("/openapi.json", () => {
  test("is valid as OpenAPI 3.1, and all its schemas as JSON Schema 2020-12", async () => {
    const text = await documentText();
    expect(text).toStartWith('{"openapi":"3.1');
    expect(schemasOf(JSON.parse(text)).length).toBeGreaterThan(100);
    expect(await problemsOf(text)).toEqual([]);
  });

  test("the check finds what is wrong", async () => {
    const text = await documentText();
    for (const [part, other] of [
      ['"operationId":"getCatalog"', '"operationId":"getHealth"'],
      ['"in":"header"', '"in":"head"'],
      ['"description":"The state of the query",', ""],
      ['"type":"string","pattern"', '"type":"text","pattern"'],
    ] as const) {
      expect(text).toContain(part);
      expect(await problemsOf(text.replace(part, other)), part).not.toEqual([]);
    }
  });
});
