import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ROOT } from "../../tools/source.ts";
import { run } from "./python.ts";

/** Pushed requests need no signature, since Schemathesis cannot sign. */
const BOARD = `import { definePlugin, int64, permanent, table } from "agnes/kit";
import * as v from "valibot";

export default definePlugin({
  name: "board",
  version: "1.0.0",
  description: "Comments of the board",
  capabilities: ["discover", "stream"],
  options: v.strictObject({}),
  secrets: {},
  async connect() {
    return {
      discover: async () => [table("comments", { id: int64({ nullable: false }) }, { primaryKey: ["id"] })],
      async verify({ body }) {
        if (body.length === 0) throw permanent("the body is empty");
        return [{ id: String(body.length), body: { size: body.length } }];
      },
      async *stream() {},
    };
  },
});
`;

const FILES: Readonly<Record<string, string>> = {
  "agnes.yaml": `version: 1
server: { trustProxy: true }
sources:
  shop: { plugin: files, options: { path: ./shop } }
  crm: { plugin: files, options: { path: ./crm } }
  board: { plugin: board }
`,
  "plugins/board.ts": BOARD,
  "shop/orders.csv": "id,customer,price\n1,1,9.5\n2,2,3.25\n3,1,5\n",
  "shop/customers.csv": "id,name\n1,Ann\n2,Bo\n",
  "crm/accounts.csv": "id,name\n1,Acme\n",
  "crm/contacts.csv": "id,name\n1,Cy\n",
  "crm/leads.csv": "id,name\n1,Di\n",
};

/** Starts `agnes serve` on a workspace of two folders of files and a source that receives pushed requests. */
export async function serveWorkspace() {
  const directory = mkdtempSync(join(tmpdir(), "agnes-serve-"));
  const write = (name: string, text: string) => {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), text);
  };
  for (const [name, text] of Object.entries(FILES)) write(name, text);
  const main = [join(ROOT, "cmd/main.ts")];
  const place = ["--workspace", directory];
  const agnes = (...args: readonly string[]) => run(process.execPath, [...main, ...args, ...place]);
  for (const source of ["shop", "crm"]) agnes("sync", source, "--quiet");
  // Not registered yet.
  write("shop/refunds.csv", "id,price\n1,2\n");
  const tokens = {
    admin: agnes("token", "create", "admin", "--role", "admin").trim(),
    analyst: agnes("token", "create", "ann", "--table", "orders").trim(),
  };
  const child = Bun.spawn([process.execPath, ...main, "serve", "--port", "0", "--json", ...place], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: Bun.file(join(directory, "serve.log")),
  });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const { url } = JSON.parse(new TextDecoder().decode(value)) as { readonly url: string };
  return {
    directory,
    url,
    tokens,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
