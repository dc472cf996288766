import manifest from "../package.json" with { type: "json" };
import { dispatch } from "./dispatch.ts";
import { mainCommand } from "./main-command.ts";
import { exitProcess } from "./process/exit.ts";

exitProcess(await dispatch(mainCommand, process.argv.slice(2), manifest.version));
