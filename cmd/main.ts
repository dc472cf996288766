import manifest from "../package.json" with { type: "json" };
import { dispatch } from "./cli/dispatch.ts";
import { mainCommand } from "./main-command.ts";

process.exit(await dispatch(mainCommand, process.argv.slice(2), manifest.version));
