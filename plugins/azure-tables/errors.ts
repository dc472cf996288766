import { defineErrors, errorSpec } from "agnes/kit";

/** The error codes of the plugin. */
export const errors = defineErrors("azure-tables", {
  python_catalog: errorSpec<{ catalog: string; tables: readonly string[] }>({
    status: 409,
    exit: 2,
    message: (d) =>
      `the tables ${d.tables.join(" and ")} contain a catalog of the Python package az-table-catalog, so catalog ${d.catalog} was not created in them`,
    hint: () =>
      "Choose other tables, and copy the records with convertPythonCatalog from agnes/plugins/azure-tables; see docs/guide/catalog.md.",
  }),
});
