import { describe, expect, test } from "bun:test";

import { defineErrors, errorSpec, type AgnesError } from "../../lib/base/mod.ts";
import { checkConnector, createPluginRegistry } from "../../lib/plugins/mod.ts";
import { checkPlugin } from "../../lib/plugins/check.ts";
import * as v from "valibot";
import { plugin } from "./example.ts";

const spec = errorSpec<object>({ message: () => "m", hint: () => "h" });
const declared = (parts: object) => ({
  errors: defineErrors("numbers", { too_many: { ...spec, ...parts } as typeof spec }),
});
const errorCases: readonly [object, string][] = [
  [
    { errors: defineErrors("numbers", { too_many: {} as typeof spec }) },
    "the error too_many has no status, but status should be an HTTP status from 400 to 599",
  ],
  [
    { errors: { too_many: Object.assign(() => 1, { code: "numbers/too_many" }) } },
    "the error too_many has no spec; make it with defineErrors and errorSpec",
  ],
  [declared({ status: -1 }), "the error too_many has the status -1, but status should be"],
  [declared({ status: "429" }), 'the error too_many has the status "429", but status should be'],
  [declared({ exit: 77 }), "the error too_many has the exit 77, but exit should be 1 or 2"],
  [declared({ retry: "zz" }), 'the error too_many has the retry "zz", but retry should be "transient" or'],
  [declared({ isDataError: 1 }), "the error too_many has the isDataError 1, but isDataError should be true"],
  [declared({ message: "m" }), 'the error too_many has the message "m", but message should be a function'],
  [declared({ hint: undefined }), "the error too_many has no hint, but hint should be a function"],
];

const numbersErrors = defineErrors("numbers", {
  too_many: errorSpec<{ count: number }>({
    message: (d) => `${d.count} is too many`,
    hint: () => "Ask for less.",
  }),
});

function problem(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toMatchObject({ code: "plugin_invalid", exitCode: 2 });
    return (error as AgnesError<"plugin_invalid">).details.reason;
  }
  return "nothing";
}

const extensionCases: readonly (readonly [Parameters<typeof plugin>[0], string])[] = (
  [
    [{ "my ext": {} }, 'the extension "my ext" is not a valid name'],
    [{ duckdb: {} }, "a DuckDB file needs no extension"],
    [{ pg: null }, "extensions.pg should be an object"],
    [{ pg: { repo: "core" } }, 'extensions.pg has the unknown key "repo"; known keys: repository, type'],
    [{ pg: { repository: "http://x" } }, 'extensions.pg has the repository "http://x"'],
    [{ pg: { tokenOption: "TO KEN" } }, 'extensions.pg has the tokenOption "TO KEN"'],
    [{ pg: { readOnly: 1 } }, "extensions.pg has readOnly, which should be true or false"],
    [{ pg: { hosts: [] } }, "extensions.pg has hosts, which should be a function"],
    [{ pg: { functions: ["a b"] } }, "extensions.pg has functions, which should be a list of names"],
    [{ pg: { secret: {} } }, "extensions.pg has a secret without a type"],
    [
      { pg: { secret: { type: "pg", token: "X" } } },
      'extensions.pg has a secret with the unknown key "token"',
    ],
    [{ pg: { secret: { type: "pg", option: "" } } }, 'extensions.pg has the secret option ""'],
    ["postgres", "extensions should be an object of DuckDB extensions by name"],
  ] as const
).map(([extensions, reason]) => [{ extensions } as never, reason]);

const fields = v.strictObject({ since: v.optional(v.string()) });
const queryCases: readonly (readonly [Parameters<typeof plugin>[0], string])[] = [
  [{ sourceQuery: {} as never }, "sourceQuery should be a valibot strictObject"],
  [{ sourceQuery: v.object({}) }, "sourceQuery should be a valibot strictObject"],
  [{ sourceQuery: v.strictObjectAsync({}) as never }, "sourceQuery should be a synchronous schema"],
  [
    { capabilities: ["discover"], sourceQuery: fields },
    "it declares sourceQuery, whose rows `read` returns, but not the capability read",
  ],
  [
    { capabilities: ["read", "query"], sourceQuery: fields },
    "it declares sourceQuery and the capability query, but source_query is either JSON or SQL",
  ],
  [
    { capabilities: ["read"], sourceQuery: v.strictObject({ limit: v.number() }) },
    "sourceQuery declares limit, which every JSON query has",
  ],
  [
    { capabilities: ["read"], sourceQuery: v.strictObject({ changedSince: v.string() }) },
    'the field "changedSince" of sourceQuery should be named in lower-case letters',
  ],
];

describe("checkPlugin()", () => {
  test("checkPlugin() returns a valid plugin", () => {
    const checked = v.pipe(
      fields,
      v.check(() => true),
    );
    const good = [
      plugin(),
      plugin({ errors: numbersErrors }),
      plugin({ capabilities: ["read"], sourceQuery: checked }),
    ];
    for (const one of good) expect(checkPlugin(one)).toBe(one);
  });

  test("checkPlugin() reports why a plugin is invalid", () => {
    const cases: readonly (readonly [Parameters<typeof plugin>[0], string])[] = [
      [{ name: undefined }, "name is undefined, but should be lower-case"],
      [{ name: "../Evil" }, 'name is "../Evil", but should be lower-case'],
      [{ version: "1" }, 'version is "1", but should be a semantic version'],
      [{ description: "" }, "description should be one line of text"],
      [{ description: "two\nlines" }, "description should be one line of text"],
      [{ capabilities: [] }, "capabilities should be a list of at least one of discover, read"],
      [{ capabilities: "read" }, "capabilities should be a list"],
      [{ capabilities: ["discover", "reed"] }, 'the capability "reed" is unknown; did you mean read?'],
      [{ capabilities: ["read", "read"] }, 'the capability "read" is declared twice'],
      [{ options: { url: "string" } }, "options should be a valibot schema"],
      [{ options: v.strictObjectAsync({}) }, "options should be a synchronous schema"],
      [{ secrets: undefined }, "secrets should be an object"],
      [{ secrets: { "my-token": { description: "x" } } }, 'the secret "my-token" should be named like'],
      [{ secrets: { TOKEN: {} } }, "the secret TOKEN should have a description"],
      [{ errors: [] }, "errors should be an object; make it with defineErrors"],
      [
        { errors: { "Too-Many": numbersErrors.too_many } },
        'the error "Too-Many" should be named in lower-case',
      ],
      [{ errors: { too_many: {} } }, "the error too_many should be made with defineErrors"],
      ...errorCases,
      [{ errors: { many: numbersErrors.too_many } }, 'the error many has the code "numbers/too_many"'],
      [
        { name: "letters", errors: numbersErrors },
        'the error too_many has the code "numbers/too_many", but should have "letters/too_many"',
      ],
      [
        { secrets: { TOKEN: { description: "x", required: "yes" } } },
        "required of the secret TOKEN should be",
      ],
      [
        { secrets: { TOKEN: { description: "x", kind: "service-account" } } },
        'kind of the secret TOKEN is "service-account", but should be one of token, basic, oauth, service_account; did you mean service_account?',
      ],
      [{ connect: undefined }, "connect should be a function"],
      ...extensionCases,
      ...queryCases,
      [{ read: () => {} } as never, "read belongs in the object that connect returns"],
    ];
    for (const [parts, reason] of cases)
      expect(problem(() => checkPlugin(plugin(parts)))).toStartWith(reason);
    for (const value of [undefined, null, 1, [], () => {}]) {
      expect(problem(() => checkPlugin(value))).toStartWith("it is not an object");
    }
  });
});

describe("checkConnector()", () => {
  const declared = (...capabilities: string[]) => plugin({ capabilities });

  test("checkConnector() accepts a connector with exactly the declared methods", () => {
    const full = { query: () => {}, estimate: () => {}, health: () => {}, close: () => {} };
    expect(checkConnector(declared("query"), full)).toBe(full as never);
    const withHelpers = { discover: () => {}, client: 1, ownHelper: () => {} };
    expect(checkConnector(declared("discover"), withHelpers)).toBe(withHelpers as never);
  });

  test("checkConnector() accepts inherited methods", () => {
    class Base {
      async discover() {
        return [];
      }
    }
    class Own extends Base {
      async *read() {}
    }
    const connector = new Own();
    expect(checkConnector(declared("discover", "read"), connector)).toBe(connector as never);
  });

  test("checkConnector() reports missing and undeclared methods", () => {
    const check = (capabilities: string[], connector: unknown) =>
      problem(() => checkConnector(declared(...capabilities), connector));
    expect(check(["read"], {})).toBe("it declares read, but its connector has no method read");
    expect(check(["stream"], { stream: () => {} })).toBe(
      "it declares stream, but its connector has no method verify",
    );
    expect(check(["discover"], { discover: () => {}, read: () => {} })).toBe(
      "its connector has the method read, but it does not declare read",
    );
    expect(check(["discover"], { discover: () => {}, estimate: () => {} })).toBe(
      "its connector has the method estimate, but it does not declare query",
    );
    expect(check(["discover"], { discover: "soon" })).toContain("has no method discover");
    expect(check(["discover"], { discover: () => {}, close: 1 })).toBe(
      "close of its connector should be a function",
    );
    expect(check(["discover"], undefined)).toBe("connect did not return an object");
  });
});

describe("createPluginRegistry()", () => {
  test("get() returns a plugin by name and list() all plugins by name", () => {
    const registry = createPluginRegistry([plugin({ name: "b" }), plugin({ name: "a" })]);
    expect(registry.list().map(({ name }) => name)).toEqual(["a", "b"]);
    expect(registry.get("a").name).toBe("a");
    expect(registry.failures()).toEqual([]);
  });

  test("get() throws plugin_unknown with the nearest name", () => {
    const registry = createPluginRegistry([plugin({ name: "keboola" }), plugin({ name: "jira" })]);
    const hintOf = (name: string) => {
      try {
        registry.get(name);
      } catch (error) {
        return (error as AgnesError).hint;
      }
      return "";
    };
    expect(hintOf("kebola")).toBe('Did you mean "keboola"?');
    expect(hintOf("salesforce")).toBe("Available plugins: jira, keboola.");
    expect(() => registry.get("toString")).toThrow('there is no plugin "toString"');
  });

  test("createPluginRegistry() rejects two plugins with the same name, and an invalid one", () => {
    expect(problem(() => createPluginRegistry([plugin(), plugin()]))).toBe(
      "another plugin has the same name",
    );
    expect(problem(() => createPluginRegistry([plugin({ version: "x" })]))).toContain("version");
  });
});
