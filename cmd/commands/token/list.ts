import { createHost } from "../../../lib/base/mod.ts";
import type { TokenInfo } from "../../../lib/serve/mod.ts";
import { command } from "../../cli/command.ts";
import { storedToken } from "../../serve/stored-token.ts";
import { printRows, textColumn } from "../../terminal/print-rows.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";

export default command({
  args: {},
  examples: ["agnes token list", "agnes token list --json"],
  async run(cli) {
    await using agnes = await openAgnes(cli);
    const tokens = await (await agnes.tokens()).list();
    if (cli.json) return await cli.printJson({ tokens: tokens.map(storedToken) });
    if (tokens.length === 0) return cli.info("There are no tokens. Run `agnes token create NAME`.");
    const now = createHost().now().getTime();
    await printRows(
      cli,
      [
        "id",
        textColumn("name"),
        "role",
        textColumn("access"),
        "expires",
        { name: "last used", leftOut: 2 },
        { name: "created by", leftOut: 1 },
      ],
      tokens.map((token) => [
        token.id,
        token.kind === "session" ? `${token.name} (browser)` : token.name,
        token.role,
        accessText(token),
        expiryText(token, now),
        token.lastUsedAt ?? "",
        token.createdBy,
      ]),
    );
  },
});

function accessText({ grants }: TokenInfo): string {
  if (grants === null) return "all tables";
  const named = (kind: string, names: readonly string[]) => names.map((name) => `${kind} ${name}`);
  return (
    [
      ...named("table", grants.tables),
      ...named("source", grants.sources),
      ...named("folder", grants.folders),
    ].join(", ") || "no tables"
  );
}

function expiryText({ expiresAt }: TokenInfo, nowMs: number): string {
  if (expiresAt === null) return "never";
  return Date.parse(expiresAt) <= nowMs ? `expired ${expiresAt}` : expiresAt;
}
