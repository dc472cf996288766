import { expect, test } from "bun:test";

import { hidePaths } from "../../../lib/serve/http/hide-paths.ts";

test("hidePaths() removes the folders of absolute paths, at any depth", () => {
  expect(hidePaths("cannot read /srv/team/data/extracts/crm/extract.duckdb: gone", [])).toBe(
    "cannot read …/extract.duckdb: gone",
  );
  expect(
    hidePaths({ a: ['"/srv/x/y.csv":3:1', { b: "C:\\data\\crm\\a.csv" }], n: 5, none: null }, []),
  ).toEqual({
    a: ['"…/y.csv":3:1', { b: "…\\a.csv".replace("\\", "/") }],
    n: 5,
    none: null,
  });
});

test("hidePaths() removes known folders with spaces in their names", () => {
  expect(hidePaths("cannot read /srv/my team/data/x.csv", ["/srv/my team"])).toBe("cannot read …/data/x.csv");
});

test("hidePaths() keeps paths of the API, relative paths, divisions and addresses", () => {
  for (const text of [
    "see /openapi.json and /api/v2/catalog",
    "data/crm/a.csv",
    "a / b, 1/2 and x/y/z",
    "https://example.org/a/b",
  ])
    expect(hidePaths(text, [])).toBe(text);
});
