import { parametersOf, type ApiCall } from "./api.ts";
import { invalid } from "./errors.ts";
import { booleanOf, checkNames, listOf, numberOf, readForm, textOf } from "./parameters.ts";

export function fileDetail(call: ApiCall): Response {
  const { files } = call.context;
  const file = files.find(Number(call.parts[0]), call.token);
  const federation = booleanOf(readForm(call.url.searchParams), "federationToken", false);
  return Response.json(files.describe(file, call.token, federation ? "download" : "none"));
}

export function refreshFile(call: ApiCall): Response {
  const { files } = call.context;
  return Response.json(files.refresh(files.find(Number(call.parts[0]), call.token), call.token));
}

export function prepareFile(call: ApiCall): Response {
  const { files } = call.context;
  const asked = parametersOf(call);
  checkNames(
    asked,
    [
      "name",
      "sizeBytes",
      "contentType",
      "isPermanent",
      "isPublic",
      "notify",
      "tags",
      "federationToken",
    ].concat(["isSliced", "isEncrypted"]),
  );
  const name = textOf(asked, "name");
  if (name === undefined) throw invalid("name: This value should not be blank.");
  if (!booleanOf(asked, "federationToken", false))
    throw invalid("federationToken: This value should be true.");
  const options = {
    isSliced: booleanOf(asked, "isSliced", false),
    tags: listOf(asked, "tags") ?? [],
    sizeBytes: numberOf(asked, "sizeBytes") ?? null,
  };
  const file = files.prepare(name, options, call.token.id);
  return Response.json(files.describe(file, call.token, "upload"), { status: 201 });
}
