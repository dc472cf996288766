import { AgnesError, counted, formatValue, type Host } from "../../base/mod.ts";
import type { Grants, Role } from "./principal.ts";

const NAME_LENGTH_MAX = 100;
const GRANTS_MAX = 1000;
/** Leaves room before the last date that JavaScript supports. */
const EXPIRES_MAX = Date.parse("9999-01-01T00:00:00Z");

/** Checks what a new token is called and may do. @throws `token_refused` */
export function checkNewToken(
  host: Pick<Host, "now">,
  token: {
    readonly name: string;
    readonly role: Role;
    readonly grants: Grants | null;
    readonly expiresAt: Date | null;
  },
): void {
  const { name, role, grants, expiresAt } = token;
  checkText("its name", name);
  if (role !== "admin" && role !== "analyst")
    throw refused(`its role ${formatValue(role)} is neither admin nor analyst`);
  if (grants !== null) checkGrants(role, grants);
  if (expiresAt === null) return;
  const time = expiresAt.getTime();
  if (!(time > host.now().getTime() && time <= EXPIRES_MAX))
    throw refused("its expiry is not in the future, before the year 9999");
}

function checkGrants(role: Role, { tables, sources, folders }: Grants): void {
  if (role === "admin") throw refused("administrators may access all tables, so it cannot have grants");
  if (tables.length + sources.length + folders.length > GRANTS_MAX)
    throw refused(`it has more than ${counted(GRANTS_MAX, "grant")}`);
  for (const table of tables) {
    checkText("the table of a grant", table, 300);
    if (!/^[^.]+\../.test(table)) throw refused(`its grant ${formatValue(table)} is not \`source.table\``);
  }
  for (const source of sources) checkText("the source of a grant", source);
  for (const folder of folders) checkText("the folder of a grant", folder, 300);
}

function checkText(what: string, text: unknown, max = NAME_LENGTH_MAX): void {
  if (typeof text !== "string" || text === "" || text.length > max)
    throw refused(`${what} is empty or has more than ${counted(max, "character")}`);
  if (/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(text)) throw refused(`${what} has control characters`);
  if (text !== text.trim()) throw refused(`${what} starts or ends with a space`);
}

function refused(reason: string): AgnesError<"token_refused"> {
  return new AgnesError("token_refused", { reason });
}
