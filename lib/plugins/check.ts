import { AgnesError, nearest, formatValue } from "../base/mod.ts";
import {
  capabilities,
  capabilityMethods,
  optionalMethods,
  secretKinds,
  type AnyConnector,
  type AnyPlugin,
  type Capability,
  type SecretKind,
} from "../kit/mod.ts";
import { errorSpecProblem } from "./check-error-spec.ts";
import { extensionsProblem } from "./check-extensions.ts";
import { sourceQueryProblem } from "./check-source-query.ts";

const NAME = /^[a-z][a-z0-9_-]{0,63}$/;
const VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;
const ERROR = /^[a-z][a-z0-9_]{0,63}$/;
const VARIABLE = /^[A-Z][A-Z0-9_]{0,63}$/;

/**
 * Checks that a value is a plugin and returns it typed.
 *
 * @param file the file of the plugin, for the message
 * @throws `plugin_invalid`
 */
export function checkPlugin(value: unknown, file?: string): AnyPlugin {
  const name = isRecord(value) && typeof value["name"] === "string" ? value["name"] : "(without a name)";
  const reason = pluginProblem(value);
  if (reason === undefined) return value as AnyPlugin;
  throw new AgnesError("plugin_invalid", { plugin: name, reason, ...(file === undefined ? {} : { file }) });
}

/**
 * Checks that a connector has the methods of the capabilities that its plugin declares, and no other ones.
 *
 * @throws `plugin_invalid`
 */
export function checkConnector(plugin: AnyPlugin, connector: unknown): AnyConnector {
  const reason = connectorProblem(plugin.capabilities, connector);
  if (reason === undefined) return connector as AnyConnector;
  throw new AgnesError("plugin_invalid", { plugin: plugin.name, reason });
}

function pluginProblem(value: unknown): string | undefined {
  if (!isRecord(value)) return "it is not an object; make it with definePlugin";
  const { name, version, description, connect } = value;
  if (typeof name !== "string" || !NAME.test(name)) {
    return `name is ${formatValue(name)}, but should be lower-case letters, digits, dashes and underscores, a letter first`;
  }
  if (typeof version !== "string" || !VERSION.test(version)) {
    return `version is ${formatValue(version)}, but should be a semantic version such as "1.0.0"`;
  }
  if (typeof description !== "string" || description.trim() === "" || description.includes("\n")) {
    return "description should be one line of text";
  }
  return (
    capabilitiesProblem(value["capabilities"]) ??
    optionsProblem(value["options"]) ??
    secretsProblem(value["secrets"]) ??
    extensionsProblem(value["extensions"]) ??
    sourceQueryProblem(value["sourceQuery"], value["capabilities"] as readonly Capability[]) ??
    errorsProblem(name, value["errors"]) ??
    namespaceProblem(value["namespace"]) ??
    (typeof connect === "function" ? misplacedProblem(value) : "connect should be a function")
  );
}

function namespaceProblem(value: unknown): string | undefined {
  return value === undefined || typeof value === "function" ? undefined : "namespace should be a function";
}

function capabilitiesProblem(value: unknown): string | undefined {
  if (!Array.isArray(value) || value.length === 0) {
    return `capabilities should be a list of at least one of ${capabilities.join(", ")}`;
  }
  for (const [at, capability] of (value as readonly unknown[]).entries()) {
    if (!capabilities.includes(capability as Capability)) {
      const near = typeof capability === "string" ? nearest(capability, capabilities) : undefined;
      return `the capability ${formatValue(capability)} is unknown${near === undefined ? "" : `; did you mean ${near}?`}`;
    }
    if (value.indexOf(capability) !== at)
      return `the capability ${formatValue(capability)} is declared twice`;
  }
  return undefined;
}

function optionsProblem(value: unknown): string | undefined {
  // Not `instanceof`: a plugin from a package may use another copy of valibot.
  if (!isRecord(value) || value["kind"] !== "schema" || typeof value["~run"] !== "function") {
    return "options should be a valibot schema, such as v.strictObject({})";
  }
  return value["async"] === true ? "options should be a synchronous schema" : undefined;
}

function secretsProblem(value: unknown): string | undefined {
  if (!isRecord(value)) return "secrets should be an object; {} if there are none";
  for (const [name, spec] of Object.entries(value)) {
    if (!VARIABLE.test(name)) {
      return `the secret ${formatValue(name)} should be named like an environment variable: capital letters, digits and underscores`;
    }
    if (!isRecord(spec) || typeof spec["description"] !== "string") {
      return `the secret ${name} should have a description`;
    }
    if (spec["required"] !== undefined && typeof spec["required"] !== "boolean") {
      return `required of the secret ${name} should be true or false`;
    }
    const kind = spec["kind"];
    if (kind !== undefined && !secretKinds.includes(kind as SecretKind)) {
      const near = typeof kind === "string" ? nearest(kind, secretKinds) : undefined;
      const advice = near === undefined ? "" : `; did you mean ${near}?`;
      return `kind of the secret ${name} is ${formatValue(kind)}, but should be one of ${secretKinds.join(", ")}${advice}`;
    }
  }
  return undefined;
}

function errorsProblem(plugin: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value)) return "errors should be an object; make it with defineErrors";
  for (const [name, error] of Object.entries(value)) {
    if (!ERROR.test(name)) {
      return `the error ${formatValue(name)} should be named in lower-case letters, digits and underscores, a letter first`;
    }
    const { code } = Object(error) as { readonly code?: unknown };
    if (typeof error !== "function" || typeof code !== "string") {
      return `the error ${name} should be made with defineErrors`;
    }
    if (code !== `${plugin}/${name}`) {
      return `the error ${name} has the code ${formatValue(code)}, but should have ${formatValue(`${plugin}/${name}`)}`;
    }
    const problem = errorSpecProblem((error as { readonly spec?: unknown }).spec);
    if (problem !== undefined) return `the error ${name} ${problem}`;
  }
  return undefined;
}

function misplacedProblem(value: Readonly<Record<string, unknown>>): string | undefined {
  const misplaced = allMethods().find((method) => value[method] !== undefined);
  return misplaced === undefined ? undefined : `${misplaced} belongs in the object that connect returns`;
}

function connectorProblem(declared: readonly Capability[], connector: unknown): string | undefined {
  if (!isRecord(connector)) return "connect did not return an object";
  const allowed = new Set<string>();
  for (const capability of declared) {
    for (const method of capabilityMethods[capability]) {
      if (typeof connector[method] !== "function") {
        return `it declares ${capability}, but its connector has no method ${method}`;
      }
      allowed.add(method);
    }
    for (const method of optionalMethods[capability] ?? []) allowed.add(method);
  }
  for (const method of allMethods()) {
    if (connector[method] === undefined) continue;
    if (!allowed.has(method)) {
      return `its connector has the method ${method}, but it does not declare ${capabilityOf(method)}`;
    }
    if (typeof connector[method] !== "function") return `${method} of its connector should be a function`;
  }
  for (const method of ["health", "close"]) {
    if (connector[method] !== undefined && typeof connector[method] !== "function") {
      return `${method} of its connector should be a function`;
    }
  }
  return undefined;
}

function methodsOf(capability: Capability): readonly (keyof AnyConnector)[] {
  return [...capabilityMethods[capability], ...(optionalMethods[capability] ?? [])];
}

function allMethods(): readonly (keyof AnyConnector)[] {
  return capabilities.flatMap(methodsOf);
}

function capabilityOf(method: keyof AnyConnector): Capability | undefined {
  return capabilities.find((capability) => methodsOf(capability).includes(method));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
