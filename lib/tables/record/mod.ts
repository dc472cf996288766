export { checkChange, checkFolder, checkStoredChange } from "./check.ts";
export { defaultGranularity, queryModes } from "./choices.ts";
export type { Granularity, InvalidValues, QueryMode, SchemaPolicy, Strategy } from "./choices.ts";
export { replacedColumnMetadata } from "./column-metadata.ts";
export { isPlainObject, kindOf } from "./json.ts";
export { changedFields, changedRecord, nonDefaultFields, newSettings, settingsOf } from "./merge.ts";
export { defaultName, isVendorName, sourceTableNames, tableId } from "./names.ts";
export { checkedQuery } from "./query-rules.ts";
export { checkSourceRules } from "./rules.ts";
export { documentationKeys, sourceMetadataProblem, storedFieldNames, tableChange } from "./schema.ts";
export type { StoredChange, StoredFieldName } from "./schema.ts";
export { checkQueriedColumns } from "./source-query.ts";
export type { SourceQuery } from "./source-query.ts";
export { tableDefaults } from "./settings.ts";
export type { TableChange, TableRecord, TableSettings } from "./settings.ts";
export {
  fromStoredFields,
  libraryName,
  storedName,
  tableFieldNames,
  toStoredFields,
} from "./stored-fields.ts";
export type { CheckTable } from "./rules.ts";
export { changedUnread, withoutEarlierDefault, withoutUnread } from "./unread.ts";
