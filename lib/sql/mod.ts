export { expressionsIn } from "./expressions.ts";
export { isAllowedFunction, isAllowedTableFunction, knownFunctions } from "./functions.ts";
export { refusalOfFunction } from "./refusals.ts";
export { parseSql, renderSql, type FunctionUse, type SelectFacts, type TableUse } from "./tree.ts";
