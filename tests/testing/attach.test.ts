import { expect, test } from "bun:test";

import { connectorContract } from "agnes/testing";
import { definePlugin, int64, table, type ExtensionSpec, type Secret } from "agnes/kit";
import * as v from "valibot";

/** The contract case of a connector that is attached with a token. */
function caseOf(
  extensions: Readonly<Record<string, ExtensionSpec>>,
  options: (token: Secret) => Readonly<Record<string, Secret>> = () => ({}),
): () => Promise<unknown> {
  const plugin = definePlugin({
    name: "attached",
    version: "1.0.0",
    description: "Attached with a token",
    capabilities: ["discover", "remote"],
    options: v.strictObject({}),
    secrets: { TOKEN: { description: "token", required: true } },
    extensions,
    connect: ({ secrets }) => ({
      discover: async () => [table("rows", { id: int64() })],
      remote: () => ({
        alias: "a",
        extension: "other",
        url: "https://a.example",
        tokenEnv: secrets.TOKEN.name,
        options: options(secrets.TOKEN),
      }),
    }),
  });
  const cases = connectorContract(plugin, { secrets: { TOKEN: "a-token" } });
  return cases.find(({ name }) => name === "remote() embeds no secret")!.run;
}

test("connectorContract() fails if the extension does not receive the token", async () => {
  const failure = await caseOf({ memory: { tokenOption: "TOKEN" } })().catch((error: unknown) => error);
  expect(String(failure)).toContain("extensions.other has neither tokenOption nor secret.tokenParameter");
  await caseOf({ other: { tokenOption: "TOKEN" } })();
  await caseOf({ other: { secret: { type: "other", tokenParameter: "KEY" } } })();
  await caseOf({}, (token) => ({ TOKEN: token }))();
});
