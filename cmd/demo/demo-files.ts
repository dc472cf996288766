import type { WorkspaceFiles } from "../workspace/write-workspace.ts";
import airports from "./exports/airports.csv" with { type: "file" };
import birdStrikes from "./exports/bird_strikes.csv.gz" with { type: "file" };
import routes from "./exports/routes.csv" with { type: "file" };
import states from "./exports/states.csv" with { type: "file" };

/** The query of the demo, and another to try. */
export const demoQueries = {
  airports: `SELECT a.name AS airport, a.city, a.state, sum(r.count) AS flights, count(*) AS destinations
FROM routes r JOIN airports a ON a.iata = r.origin
GROUP BY ALL ORDER BY flights DESC LIMIT 10`,
  birds: `SELECT s.state, count(*) AS strikes, round(count(*) * 1e6 / s.population) AS per_million
FROM bird_strikes b JOIN states s ON s.state = b."Origin State"
GROUP BY s.state, s.population ORDER BY per_million DESC LIMIT 5`,
} as const;

/** The workspace of the demo: four tables of public data; see SOURCES.md beside this file. */
export async function demoFiles(): Promise<WorkspaceFiles> {
  return {
    "agnes.yaml": CONFIG,
    ".gitignore": "/data/\n",
    "exports/airports.csv": await Bun.file(airports).bytes(),
    "exports/routes.csv": await Bun.file(routes).bytes(),
    "exports/bird_strikes.csv.gz": await Bun.file(birdStrikes).bytes(),
    "exports/states.csv": await Bun.file(states).bytes(),
  };
}

const CONFIG = `# The demo of Agnes: public data of the government of the United States.
#   airports      Airports, data.gov
#   routes        flights by route in 2008, Bureau of Transportation Statistics
#   bird_strikes  FAA Wildlife Strike Database
#   states        population by state, American Community Survey
version: 1

sources:
  exports:
    plugin: files
    options: { path: ./exports }
`;
