import { command } from "../console/command.ts";
export default command({ args: {}, run: async () => 1 });
