import { queryStatuses } from "../catalog/query-statuses.ts";
import { tablePath } from "../http/schemas.ts";
import { hidePaths } from "../http/hide-paths.ts";
import { route, type Route } from "../http/route.ts";
import { profileBody } from "./schemas.ts";

/** `/api/v2/profile/`: the profiles of published tables. A request computes none. */
export function profileRoutes(): readonly Route[] {
  return [
    route({
      method: "get",
      path: "/api/v2/profile/:id",
      operationId: "getProfile",
      tag: "catalog",
      summary: "Return the profile of a table, with the columns that the caller may query",
      access: "signed_in",
      params: tablePath,
      responses: { 200: { description: "The profile", schema: profileBody } },
      errors: queryStatuses,
      async handle({ services, principal, params, request }) {
        const access = await services.accessOf(principal);
        const caller = { access, principal: principal.id };
        const options = { ...caller, compute: "never", signal: request.signal } as const;
        const { stale, ...profile } = await services.workspace.profile(params.id, options);
        // Generations also count the changes of other tables.
        const generation = access === null ? profile.generation : null;
        return Response.json({ ...profile, generation, stale: hidePaths(stale, services.folders) });
      },
    }),
  ];
}
