import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import type { Agnes } from "agnes";

import { temporaryFolder } from "../sync/workspace.ts";
import { openLiveShop, type LiveBy } from "./live-shop.ts";

/** Statements whose conditions, keys, columns or limits could be pushed down incorrectly. */
const STATEMENTS = [
  // conditions
  "SELECT * FROM b WHERE id = 3",
  "SELECT customer FROM b WHERE 3 < id AND id <= 7",
  "SELECT id FROM b WHERE id <> 3 AND amount BETWEEN 2 AND 7",
  "SELECT id FROM b WHERE id NOT BETWEEN 2 AND 7",
  "SELECT id FROM b WHERE id IN (1, 2, NULL) OR amount = 5",
  "SELECT id FROM b WHERE id IN (1, 2, NULL)",
  "SELECT id FROM b WHERE id NOT IN (1, 2)",
  "SELECT id FROM b WHERE id NOT IN (1, 2, NULL)",
  "SELECT id FROM b WHERE id = NULL",
  "SELECT id, amount FROM b WHERE amount IS NULL AND customer IS NOT NULL",
  "SELECT id FROM b WHERE customer = 'ann'",
  "SELECT id FROM b WHERE customer = 'it''s' OR customer = ''",
  "SELECT id FROM b WHERE customer IN ('it''s', '', 'čapek')",
  "SELECT id FROM b WHERE customer <> 'ann' AND customer >= 'a'",
  "SELECT id FROM b WHERE customer COLLATE NOCASE = 'ANN'",
  "SELECT id FROM b WHERE lower(customer) = 'ann' AND id > 2",
  "SELECT id FROM b WHERE customer = 5::VARCHAR OR ok",
  "SELECT id FROM b WHERE ok = true",
  "SELECT id FROM b WHERE ok IS NOT TRUE AND id < 9",
  "SELECT id FROM b WHERE day >= '2026-01-03'",
  "SELECT id FROM b WHERE day >= TIMESTAMP '2026-01-03 12:00'",
  "SELECT id FROM b WHERE day < TIMESTAMP '2026-01-03 12:00'",
  "SELECT id FROM b WHERE seen >= DATE '2026-01-03' AND seen < '2026-01-05 06:00'",
  "SELECT id FROM b WHERE seen BETWEEN '2026-01-02' AND '2026-01-04'",
  "SELECT id FROM b WHERE id > 2.5",
  "SELECT id FROM b WHERE id = '3'",
  "SELECT id FROM b WHERE id = 99999999999999999999999",
  "SELECT id + 1 AS amount FROM b WHERE amount = 4",
  "SELECT x.id FROM b x WHERE x.amount > 3 AND x IS NOT NULL",
  "SELECT x.id FROM b AS x(id, who) WHERE who = 'ann'",
  // functions of the transaction, for which DuckDB binds a statement again
  "SELECT id FROM b WHERE day < now() AND seen < current_timestamp",
  "SELECT id, current_date > day, today() > day, get_current_timestamp() > seen FROM s.b WHERE id > 2",
  "SELECT id, transaction_timestamp() = now(), current_time IS NULL, current_schema() FROM b",
  "SELECT current_schema() = 'main', len(current_schemas(true)) > 0, count(*) FROM b",
  "SELECT current_catalog, current_user, customer FROM b WHERE ok",
  "WITH w AS (SELECT now() AS t) SELECT id FROM b, w WHERE b.seen < w.t",
  "SELECT current_date IS NULL, (SELECT count(*) FROM b)",
  "SELECT get_type(now()), id FROM b WHERE id = 3",
  "SELECT date_diff('year', seen, now()) >= 0, max(amount) FROM b GROUP BY ALL",
  "SELECT id FROM b WHERE no_column < now()",
  // several places
  "SELECT x.id, y.amount FROM b x JOIN b y ON x.id = y.id WHERE x.amount = 0 AND y.amount = 1",
  "SELECT x.id, y.id FROM b x JOIN b y USING (amount) WHERE x.id = 4",
  "WITH w AS (SELECT * FROM b WHERE id < 9) SELECT count(*) FROM w x JOIN w y USING (id)",
  "SELECT id FROM b WHERE id = 1 UNION ALL SELECT id FROM b WHERE id = 2",
  "SELECT id FROM b WHERE id > 1 AND ok = true EXCEPT SELECT id FROM b WHERE id > 1 AND ok = false",
  "SELECT id FROM a UNION SELECT id FROM b INTERSECT SELECT id FROM c",
  "SELECT (SELECT max(id) FROM b) + (SELECT count(*) FROM a)",
  "SELECT id FROM a UNION BY NAME SELECT label, id FROM c",
  // joins
  "SELECT count(*) FROM a JOIN b ON a.id = b.id",
  "SELECT * FROM a JOIN b USING (id)",
  "SELECT * FROM a NATURAL JOIN c",
  "SELECT a.id, amount FROM a, b WHERE a.id = b.id AND kind = 1",
  "SELECT a.id, amount FROM a, b WHERE a.customer = b.customer AND a.kind IN (0, 2)",
  "SELECT a.id, b.amount FROM a LEFT JOIN b ON a.id = b.id AND b.amount > 5",
  "SELECT a.id, b.amount FROM a LEFT JOIN b ON a.id = b.id AND a.kind = 1",
  "SELECT a.id, b.amount FROM a LEFT JOIN b ON a.id = b.id WHERE b.amount > 5",
  "SELECT a.id, b.amount FROM a LEFT JOIN b ON a.id = b.id WHERE b.amount IS NULL",
  "SELECT a.id FROM a LEFT JOIN b USING (id) WHERE b.id IS NULL",
  "SELECT a.id, b.id, b.amount FROM b LEFT JOIN a ON a.id = b.id AND b.amount > 5",
  "SELECT a.id, b.id FROM b LEFT JOIN a ON a.id = b.id WHERE a.kind = 1",
  "SELECT a.id, b.id FROM b LEFT JOIN a ON a.id = b.id WHERE b.amount IS NULL",
  "SELECT a.id, b.id FROM b RIGHT JOIN a ON a.id = b.id AND b.amount = 4",
  "SELECT a.id, b.id FROM a FULL JOIN b ON a.id = b.id WHERE b.amount > 5 OR a.kind = 1",
  "SELECT a.id, b.id FROM a FULL JOIN b ON a.id = b.id WHERE b.amount > 5",
  "SELECT a.id, b.id FROM a FULL JOIN b ON a.id = b.id WHERE b.amount IS NULL",
  "SELECT id FROM a FULL JOIN b USING (id) WHERE id > 5",
  "SELECT id FROM a RIGHT JOIN b USING (id) WHERE id > 5",
  "SELECT * FROM b SEMI JOIN a USING (id)",
  "SELECT * FROM b ANTI JOIN a USING (id)",
  "SELECT a.id FROM a SEMI JOIN b ON a.id = b.id AND b.amount > 4",
  "SELECT a.id FROM a ANTI JOIN b ON a.id = b.id AND b.amount > 4",
  "SELECT a.id FROM a ANTI JOIN b ON a.id = b.id WHERE a.kind = 1",
  "SELECT a.id, c.label FROM a LEFT JOIN (b JOIN c ON b.id = c.id) ON a.customer = b.customer WHERE c.label IS NULL",
  "SELECT a.id, c.label FROM a LEFT JOIN (c JOIN b ON b.id = c.id) ON a.id = b.id WHERE c.label = 'c1' OR c.label IS NULL",
  "SELECT count(*) FROM c JOIN a USING (id) JOIN b USING (id)",
  "SELECT count(*) FROM c LEFT JOIN a USING (id) JOIN b USING (id)",
  "SELECT a.id, b.amount FROM a ASOF JOIN b ON a.id = b.id AND a.day >= b.day WHERE b.ok = true",
  "SELECT a.id, c.id FROM a ASOF JOIN c ON a.id >= c.id WHERE c.label = 'c1'",
  "SELECT a.id, c.id FROM a POSITIONAL JOIN c WHERE c.label = 'c1'",
  "SELECT count(*) FROM c RIGHT JOIN a USING (id) JOIN b USING (id)",
  "SELECT c.id FROM c LEFT JOIN (a JOIN b ON a.id = b.id) ON c.id = b.id WHERE a.customer IS NULL",
  "SELECT c.id FROM c LEFT JOIN (a JOIN b ON a.id = b.id) ON c.id = b.id WHERE a.kind = 1",
  "SELECT c.id FROM c SEMI JOIN b ON c.id = b.id WHERE label = 'c1'",
  "WITH w AS (SELECT 3 AS k, 50 AS amount) SELECT count(*) FROM (VALUES (1)) o(i) JOIN (w SEMI JOIN b ON k = b.id) ON amount = 50",
  "WITH w AS (SELECT 3 AS k, 50 AS amount) SELECT count(*) FROM (VALUES (1)) o(i) JOIN (w ANTI JOIN b ON k = b.id) ON amount = 50",
  "WITH w AS (SELECT 3 AS k, 50 AS amount) SELECT count(*) FROM c LEFT JOIN (w SEMI JOIN b ON k = b.id) ON amount = 50 WHERE k = 3",
  "WITH w AS (SELECT 3 AS k, 50 AS amount) SELECT count(*) FROM (w SEMI JOIN b ON k = b.id) JOIN a ON amount BETWEEN 40 AND 60",
  "WITH w AS (SELECT 3 AS k, 50 AS amount) SELECT count(*) FROM a JOIN (w SEMI JOIN b ON k = b.id) ON a.id = amount WHERE a.id = 50",
  "WITH w AS (SELECT 3 AS k, 50 AS amount) SELECT count(*) FROM a JOIN (w ANTI JOIN b ON k = b.id) ON a.id = amount WHERE a.id = 50",
  "WITH w AS (SELECT 3 AS k, 50 AS amount) SELECT count(*) FROM a JOIN (w SEMI JOIN b ON k = b.id) ON amount IN (SELECT id FROM a WHERE id = 50)",
  "WITH w AS (SELECT 3 AS k, 50 AS amount) SELECT count(*) FROM (SELECT id AS amount FROM a WHERE id = 50) o JOIN (w SEMI JOIN b ON k = b.id) USING (amount)",
  "WITH w AS (SELECT 3 AS k, 50 AS amount) SELECT count(*) FROM (w SEMI JOIN (c JOIN b USING (id)) ON k + 1 = b.id) JOIN a ON amount = a.id WHERE a.id = 50",
  "SELECT count(*) FROM c JOIN (a SEMI JOIN b ON a.id = b.id AND b.amount > 4) ON a.kind = c.id",
  "SELECT count(*) FROM c JOIN (b SEMI JOIN a ON a.id = b.id AND a.kind = 1) ON b.id = c.id AND amount > 2",
  "SELECT count(*) FROM a, LATERAL (SELECT max(amount) AS m FROM b WHERE b.id = a.id) WHERE m > 3",
  "SELECT a.id, b.id FROM a JOIN b ON a.day = b.day WHERE a.kind = 2",
  "SELECT a.id, b.id FROM a JOIN b ON a.id = b.id + 1",
  "SELECT count(*) FROM b JOIN c ON b.id = c.id",
  // subqueries
  "SELECT count(*) FROM a WHERE id IN (SELECT id FROM b)",
  "SELECT count(*) FROM b WHERE id IN (SELECT id FROM a WHERE kind = 1)",
  "SELECT count(*) FROM b WHERE id NOT IN (SELECT id FROM a WHERE kind = 1)",
  "SELECT count(*) FROM b WHERE id IN (SELECT id FROM a WHERE a.customer = b.customer)",
  "SELECT count(*) FROM b WHERE id IN (SELECT max(id) FROM a)",
  "SELECT count(*) FROM b WHERE id IN (SELECT id FROM a LIMIT 0)",
  "SELECT count(*) FROM b WHERE customer IN (SELECT customer FROM a WHERE a.id = 99)",
  "SELECT a.id FROM a WHERE EXISTS (SELECT * FROM b WHERE b.id = a.id AND b.amount > 8)",
  "SELECT a.id, (SELECT max(amount) FROM b WHERE b.id = a.id) FROM a",
  "WITH a AS (SELECT id FROM c) SELECT count(*) FROM a JOIN b ON a.id = b.id",
  "WITH RECURSIVE r AS (SELECT 0 AS id UNION SELECT b.id FROM b JOIN r ON b.amount = r.id) SELECT * FROM r",
  "WITH RECURSIVE b AS (SELECT id FROM b WHERE id = 1 UNION ALL SELECT id + 1 FROM b WHERE id < 3) SELECT * FROM b",
  "WITH RECURSIVE b AS (SELECT id FROM b WHERE id = 1 UNION SELECT id + 1 FROM b WHERE id < 3) SELECT * FROM b",
  "WITH RECURSIVE b(id, n) USING KEY (id) AS (SELECT id, 0 FROM b WHERE id = 1 UNION SELECT id, n + 1 FROM b WHERE n < 3) FROM b",
  "WITH RECURSIVE b AS ((WITH w AS (FROM b) SELECT id FROM w) UNION SELECT id + 1 FROM b WHERE id < 20) SELECT * FROM b",
  "WITH RECURSIVE b AS (SELECT id FROM a WHERE id IN (SELECT amount FROM b) UNION SELECT b.id + 1 FROM b WHERE id < 20) FROM b",
  "WITH b AS (SELECT id + 30 AS id FROM b) FROM (WITH RECURSIVE b AS (FROM b UNION SELECT id + 1 FROM b WHERE id < 50) FROM b)",
  "WITH RECURSIVE b AS (SELECT 1 AS id UNION SELECT x.id FROM s.b x JOIN b ON x.amount = b.id) SELECT * FROM b",
  "WITH RECURSIVE b AS (SELECT id FROM b WHERE id > 11) SELECT * FROM b",
  "SELECT s.id FROM (SELECT * FROM b) s JOIN a ON a.id = s.id WHERE s.amount = 4",
  "SELECT count(*) FROM (SELECT id FROM a ORDER BY id LIMIT 3) x JOIN b ON x.id = b.id",
  // keys from inside other SELECTs
  "WITH w AS (SELECT id FROM a WHERE kind = 1) SELECT b.id, b.amount FROM w JOIN b ON b.id = w.id",
  "WITH w AS (SELECT id AS k, customer AS id FROM a) SELECT count(*) FROM w JOIN b ON b.id = w.k",
  "WITH w AS (SELECT kind AS id FROM a) SELECT count(*) FROM w JOIN b USING (id)",
  "WITH w AS (SELECT * FROM a WHERE kind = 2) SELECT count(*) FROM w JOIN b USING (id)",
  "WITH w AS (SELECT *, kind AS id FROM a) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  "WITH w AS (SELECT a.id, c.id FROM a, c) SELECT count(*) FROM w JOIN b ON b.id = w.id_1",
  "WITH w AS (SELECT a.id, c.id FROM a, c) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  "WITH w(id, x) AS (SELECT kind, id FROM a) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  "WITH w AS (SELECT a.id FROM c LEFT JOIN a ON a.id = c.id) SELECT count(*) FROM w LEFT JOIN b ON b.id = w.id",
  "WITH w AS (SELECT a.id FROM c LEFT JOIN a ON a.id = c.id AND a.kind = 1) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  "WITH w AS (SELECT min(id) AS id FROM a) SELECT b.amount FROM w JOIN b ON b.id = w.id",
  "WITH w AS (SELECT id + 1 AS id FROM a) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  "WITH w AS (SELECT id, count(*) FROM a GROUP BY id HAVING count(*) > 1) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  "WITH w AS (SELECT id FROM a GROUP BY ROLLUP (id)) SELECT count(*) FROM w JOIN b ON b.id IS NOT DISTINCT FROM w.id",
  "WITH w AS (SELECT id FROM a GROUP BY ROLLUP (id)) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  "WITH w AS (SELECT id FROM a ORDER BY id LIMIT 2) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  "WITH w AS (SELECT id FROM a UNION ALL SELECT kind FROM a) SELECT count(*) FROM w JOIN b ON b.id = w.id",
  "WITH w AS (SELECT id FROM a), x AS (SELECT * FROM w WHERE id > 3) SELECT count(*) FROM x JOIN b ON b.id = x.id",
  "WITH w AS (SELECT id FROM a), a AS (SELECT kind AS id FROM w JOIN a USING (id)) SELECT count(*) FROM a JOIN b ON b.id = a.id",
  "WITH b2 AS (SELECT id FROM a) SELECT count(*) FROM b LEFT JOIN b2 ON b.id = b2.id",
  "WITH w AS (SELECT id FROM a WHERE kind = 1) SELECT count(*) FROM b FULL JOIN w ON b.id = w.id",
  "WITH w AS (SELECT id FROM a WHERE kind = 1) SELECT count(*) FROM b ANTI JOIN w ON b.id = w.id",
  "WITH w AS (SELECT id FROM a WHERE kind = 1) SELECT count(*) FROM b SEMI JOIN w USING (id)",
  "WITH w AS (SELECT id FROM a WHERE kind = 1) SELECT count(*) FROM b WHERE id IN (FROM w)",
  "WITH w AS (SELECT id FROM a WHERE kind = 1) SELECT count(*) FROM b WHERE id IN (SELECT id FROM w)",
  "WITH w AS (SELECT id FROM a WHERE kind = 1) SELECT count(*) FROM b WHERE id NOT IN (SELECT id FROM w)",
  "WITH w AS (SELECT CASE WHEN kind = 1 THEN id END AS id FROM a) SELECT count(*) FROM b WHERE id NOT IN (SELECT id FROM w)",
  "SELECT count(*) FROM (SELECT unnest({'id': kind}) FROM a) x JOIN b ON b.id = x.id",
  "SELECT count(*) FROM (SELECT unnest({'id': kind}) AS y FROM a) x JOIN b ON b.id = x.id",
  "SELECT count(*) FROM (SELECT max(COLUMNS('id|kind')) FROM a) x JOIN b ON b.id = x.id",
  "SELECT count(*) FROM (SELECT * EXCLUDE (id), kind AS id FROM a) x JOIN b ON b.id = x.id",
  "SELECT count(*) FROM (SELECT * REPLACE (kind AS id) FROM a) x JOIN b ON b.id = x.id",
  "SELECT count(*) FROM (SELECT * RENAME (kind AS id, id AS kind) FROM a) x JOIN b ON b.id = x.id",
  "SELECT count(*) FROM (SELECT * REPLACE (id + 2 AS id) FROM a WHERE id > 8) x JOIN b ON b.id = x.id",
  "SELECT count(*) FROM (SELECT unnest({'id': 11}), id FROM a) x JOIN b ON b.id = x.id",
  "SELECT count(*) FROM (SELECT c.id, c.id, kind AS id_1 FROM a, c) x JOIN b ON b.id = x.id_1",
  "SELECT count(*) FROM (SELECT kind, id FROM a) x(id, kind) JOIN b ON b.id = x.kind",
  "SELECT count(*) FROM (SELECT kind AS id, id AS k FROM a) x JOIN b ON b.id = x.k",
  "SELECT count(*) FROM (SELECT id + 2 AS id, id AS k FROM a WHERE id > 8) x JOIN b ON b.id = x.k",
  "SELECT count(*) FROM (SELECT a.* FROM a, c WHERE a.id = c.id) x JOIN b ON b.id = x.id",
  "SELECT count(*) FROM (SELECT x.id FROM (SELECT id, kind FROM a) x WHERE x.kind = 1) y JOIN b ON b.id = y.id",
  "SELECT count(*) FROM (SELECT id FROM a WHERE kind = 1) x, b WHERE x.id = b.id AND b.amount > 2",
  "SELECT count(*) FROM (SELECT id FROM a) x(k) JOIN b ON b.id = x.k",
  "SELECT count(*) FROM b, LATERAL (SELECT a.id FROM a WHERE a.customer = b.customer) x WHERE x.id = b.id",
  "SELECT count(*) FROM b WHERE id IN (SELECT a.id FROM a JOIN c ON a.id = c.id WHERE c.label = 'c1')",
  "SELECT count(*) FROM b WHERE id IN (SELECT a.id FROM c LEFT JOIN a ON a.id = c.id)",
  "SELECT count(*) FROM b WHERE id IN (SELECT b.id FROM a WHERE kind = 1)",
  "SELECT count(*) FROM b WHERE id IN (SELECT id FROM a UNION SELECT id FROM c)",
  "SELECT count(*) FROM b WHERE id IN (SELECT id FROM a WHERE kind = 1) OR amount = 4",
  "SELECT count(*) FROM b WHERE NOT (id IN (SELECT id FROM a WHERE kind = 1))",
  "SELECT count(*) FROM b WHERE (id IN (SELECT id FROM a WHERE kind = 1)) IS NULL",
  "SELECT count(*) FROM b WHERE EXISTS (SELECT 1 FROM a WHERE a.id = b.id AND a.kind = 1)",
  "SELECT count(*) FROM b WHERE EXISTS (FROM a WHERE b.id = a.id)",
  "SELECT count(*) FROM b WHERE NOT EXISTS (SELECT 1 FROM a WHERE a.id = b.id AND a.kind = 1)",
  "SELECT count(*) FROM b WHERE EXISTS (SELECT count(*) FROM a WHERE a.id = b.id)",
  "SELECT count(*) FROM b WHERE EXISTS (SELECT 1 FROM a WHERE a.id = b.id HAVING true)",
  "SELECT count(*) FROM b WHERE EXISTS (SELECT 1 FROM a WHERE a.id = b.id GROUP BY GROUPING SETS (()))",
  "SELECT count(*) FROM b WHERE EXISTS (SELECT 1 FROM a WHERE a.id = b.id ORDER BY count(*))",
  "SELECT count(*) FROM b WHERE EXISTS (SELECT kind FROM a WHERE a.id = b.id GROUP BY kind)",
  "SELECT count(*) FROM b WHERE EXISTS (SELECT 1 FROM a AS b WHERE b.id = b.id)",
  "SELECT count(*) FROM b WHERE EXISTS (SELECT 1 FROM a, (SELECT 1 AS id) AS b WHERE a.id = b.id)",
  "SELECT count(*) FROM b WHERE EXISTS (SELECT 1 FROM a, (SELECT {'id': 1} AS b) AS x WHERE a.id = b.id)",
  "SELECT count(*) FROM b WHERE EXISTS (SELECT 1 FROM a WHERE a.id = b.id OR a.kind = 1)",
  "SELECT count(*) FROM b WHERE EXISTS (SELECT 1 FROM c LEFT JOIN a ON a.id = c.id WHERE a.id = b.id)",
  "SELECT a.id, b.id FROM a LEFT JOIN b ON a.id = b.id WHERE EXISTS (SELECT 1 FROM c WHERE c.id = b.id)",
  "SELECT a.id, b.id FROM a LEFT JOIN b ON a.id = b.id AND EXISTS (SELECT 1 FROM c WHERE c.id = b.id)",
  // keys and conditions around other SELECTs
  "WITH o AS (SELECT * FROM b) SELECT a.kind, o.amount FROM a JOIN o USING (id)",
  "WITH o AS (SELECT id AS k, amount AS id FROM b) SELECT count(*) FROM a JOIN o ON o.k = a.kind",
  "WITH o AS (SELECT id AS k, amount AS id FROM b) SELECT count(*) FROM a JOIN o ON o.id = a.kind",
  "WITH o AS (SELECT amount AS id, id AS k FROM b) SELECT count(*) FROM o WHERE k = 3",
  "WITH o AS (SELECT *, amount AS id FROM b) SELECT count(*) FROM a JOIN o ON o.id = a.kind",
  "WITH o AS (SELECT id, amount AS id FROM b) SELECT count(*) FROM a JOIN o ON o.id_1 = a.kind",
  "WITH o AS (SELECT id + 1 AS id, amount FROM b) SELECT count(*) FROM a JOIN o USING (id) WHERE o.amount < 9",
  "WITH o AS (FROM b), p AS (FROM o WHERE amount > 1) SELECT count(*) FROM p JOIN a ON p.id = a.kind WHERE p.ok = true",
  "WITH o AS (FROM b) SELECT count(*) FROM o x JOIN o y ON x.id = y.amount JOIN a ON a.kind = x.id",
  "WITH o AS (FROM b), p AS (FROM o) SELECT count(*) FROM p x JOIN p y USING (id) WHERE x.id = 3 AND y.amount = 4",
  "WITH o AS (FROM b) SELECT (SELECT count(*) FROM o WHERE id = 3), (SELECT count(*) FROM o)",
  "WITH o AS (FROM b) SELECT count(*) FROM o WHERE id = (SELECT max(id) - 1 FROM o)",
  "WITH o AS (FROM b) SELECT count(*) FROM o, (SELECT count(*) FROM (PIVOT o ON ok IN (true, false) USING sum(amount))) WHERE o.id = 3",
  "WITH o AS (FROM b LIMIT 30) SELECT count(*) FROM o JOIN o x USING (id)",
  "WITH o AS (FROM b ORDER BY id DESC, amount, customer LIMIT 9) SELECT count(*) FROM a JOIN o ON o.id = a.kind + 7",
  "WITH o AS (SELECT id, count(*) AS n, max(amount) AS amount FROM b GROUP BY id) SELECT sum(n) FROM o WHERE amount = 9",
  "WITH o AS (SELECT id, amount, row_number() OVER (ORDER BY id, amount, customer) AS n FROM b) SELECT sum(n) FROM o JOIN a USING (id)",
  "WITH o AS (SELECT id, sum(amount) OVER () + 1 AS n FROM b) SELECT max(n) FROM o WHERE id = 3",
  "WITH o AS (SELECT id FROM b QUALIFY row_number() OVER (ORDER BY id DESC) < 9) SELECT count(*) FROM o WHERE id < 13",
  "WITH o AS (SELECT DISTINCT ON (ok) ok, amount FROM b ORDER BY amount DESC, id) SELECT ok FROM o WHERE amount < 10",
  "WITH o AS (SELECT DISTINCT id, ok FROM b) SELECT count(*) FROM o WHERE id = 3",
  "WITH o AS (SELECT id FROM b UNION ALL SELECT kind FROM a) SELECT count(*) FROM o WHERE id = 1",
  "WITH o AS (SELECT id FROM b EXCEPT SELECT id FROM c) SELECT count(*) FROM o JOIN a USING (id)",
  "WITH o AS (SELECT id, amount FROM b USING SAMPLE 100%) SELECT count(*) FROM o JOIN a USING (id)",
  "WITH o(amount, id) AS (SELECT id, amount FROM b) SELECT count(*) FROM o JOIN a USING (id) WHERE amount < 4",
  "WITH o AS (SELECT id, amount FROM b) SELECT count(*) FROM o p(amount, id) JOIN a USING (id) WHERE amount < 4",
  "WITH o AS (SELECT id, amount FROM b p(amount, customer, id)) SELECT count(*) FROM o JOIN a ON o.amount = a.kind",
  "WITH o AS (FROM b) SELECT count(*) FROM a LEFT JOIN o ON o.id = a.kind",
  "WITH o AS (FROM b) SELECT count(*) FROM o LEFT JOIN a ON o.id = a.kind AND o.amount = 4",
  "WITH o AS (FROM b) SELECT a.id FROM a LEFT JOIN o ON o.amount = a.id WHERE o.id IS NULL",
  "WITH o AS (FROM b) SELECT count(*) FROM o WHERE id IS NULL AND amount IS NOT NULL",
  "WITH o AS (FROM b) SELECT count(*) FROM a FULL JOIN o ON o.id = a.kind",
  "WITH o AS (FROM b) SELECT count(*) FROM a ANTI JOIN o ON o.amount = a.id",
  "WITH o AS (FROM b) SELECT count(*) FROM o ANTI JOIN a USING (id)",
  "WITH o AS (FROM b) SELECT count(*) FROM o WHERE id IN (SELECT kind FROM a WHERE day IS NULL)",
  "WITH o AS (FROM b) SELECT count(*) FROM o WHERE EXISTS (SELECT 1 FROM a WHERE a.kind = o.id AND a.id > 5)",
  "WITH o AS (FROM b), w AS (SELECT kind AS k FROM a WHERE id > 3) SELECT count(*) FROM w JOIN o ON o.id = w.k",
  "WITH o AS (FROM b) SELECT a.id FROM a WHERE (SELECT count(*) FROM o WHERE o.id = a.kind AND o.ok = true) > 1",
  "WITH o AS (FROM b) SELECT count(*) FROM o WHERE id = 3 UNION ALL SELECT count(*) FROM a",
  "WITH RECURSIVE o AS (FROM b), r AS (SELECT 1 AS id UNION SELECT o.amount FROM o JOIN r ON o.id = r.id JOIN a ON o.id = a.id) FROM r",
  "WITH b AS (FROM b) SELECT count(*) FROM a JOIN b USING (id) WHERE a.kind = 1",
  "SELECT count(*) FROM (SELECT id, lower(customer) AS who FROM b WHERE amount > 1) x JOIN a USING (id) WHERE a.kind = 1",
  "SELECT count(*) FROM (SELECT max(amount) AS m, 3 AS id FROM b) x WHERE id = 3 AND m < 10",
  "SELECT count(*) FROM (SELECT b.* FROM b SEMI JOIN a USING (id)) x WHERE x.amount = 4",
  "SELECT count(*) FROM (SELECT b.id, a.kind FROM a LEFT JOIN b ON a.id = b.amount) x WHERE x.id IS NULL",
  "SELECT count(*) FROM (SELECT b.id, a.kind FROM a LEFT JOIN b ON a.id = b.amount) x WHERE x.id < 5",
  "SELECT a.id, m FROM a, LATERAL (SELECT max(amount) AS m, a.kind AS id FROM b WHERE b.id = a.id) x WHERE x.id = 1",
  "SELECT a.id, x.amount FROM a, LATERAL (SELECT id, amount FROM b WHERE b.customer = a.customer) x WHERE x.id = a.kind",
  "SELECT a.id FROM a x(kind, customer, id), b, a WHERE b.id = x.kind AND a.id = b.id",
  "SELECT count(*) FROM a x(kind, customer, z) JOIN b ON b.id = x.kind",
  "SELECT count(*) FROM a x(kind, customer, z) JOIN (SELECT id AS kind FROM b) USING (kind)",
  "SELECT count(*) FROM (SELECT kind AS id FROM a x(kind, customer, z)) y JOIN b USING (id)",
  // columns
  "SELECT count(*) FROM b",
  "SELECT count(*), count(b.customer) FROM b, a",
  "SELECT #2 FROM b",
  "SELECT b FROM b WHERE id = 1",
  "SELECT COLUMNS('a.*') FROM b",
  "SELECT * EXCLUDE (id) FROM b WHERE amount = 4",
  "SELECT b.* FROM a JOIN b ON a.id = b.id",
  "FROM b PIVOT (count(*) FOR ok IN (true, false) GROUP BY customer)",
  "PIVOT b ON ok USING sum(amount) GROUP BY customer",
  "PIVOT (PIVOT b ON ok USING sum(amount) GROUP BY customer) ON customer",
  "PIVOT b ON customer IN (SELECT id FROM a WHERE id < 3) USING sum(amount) GROUP BY ok",
  "UNPIVOT (SELECT id, amount FROM b) ON id, amount",
  "SELECT customer, sum(amount) FROM b GROUP BY ALL HAVING sum(amount) > 9",
  "SELECT s.b.id, s.c.id FROM s.b JOIN s.c ON s.b.id = s.c.id WHERE s.b.amount = 4",
  // limits
  "SELECT count(*) FROM (SELECT * FROM b LIMIT 5)",
  "SELECT count(*) FROM (SELECT id FROM b WHERE id > 2 LIMIT 5 OFFSET 3)",
  "SELECT count(*) FROM (SELECT id FROM b WHERE lower(customer) = 'ann' LIMIT 4)",
  "SELECT count(*) FROM (SELECT DISTINCT id FROM b LIMIT 5)",
  "SELECT id FROM b ORDER BY id, amount, customer LIMIT 5",
  "SELECT count(*) FROM b LIMIT 5",
  "SELECT sum(id) FROM b LIMIT 5",
  "SELECT count(*) FROM (SELECT unnest([1, 2]) FROM b LIMIT 5)",
  "SELECT count(*) FROM (SELECT b.id FROM b JOIN c ON b.id = c.id LIMIT 3)",
  "SELECT count(*) FROM (SELECT id FROM b UNION ALL SELECT id FROM c LIMIT 5)",
  "SELECT count(*) FROM (SELECT id FROM b QUALIFY row_number() OVER (PARTITION BY id) = 1 LIMIT 8)",
  "SELECT count(*) FROM (SELECT * FROM b WHERE customer = 'ann' LIMIT 3)",
] as const;

/** The live tables and the method of their connector. */
export interface LiveSetup {
  readonly by: LiveBy;
  readonly remote: readonly ("a" | "b" | "c")[];
}

/** Tests that every statement has the same result in each setup as over local tables. */
export function testSameResults(setups: readonly LiveSetup[]): void {
  const folders: ReturnType<typeof temporaryFolder>[] = [];
  const expected = new Map<string, unknown>();

  function newFolder(): string {
    folders.push(temporaryFolder());
    return folders.at(-1)!.path;
  }

  beforeAll(async () => {
    await using local = await openLiveShop(newFolder(), { remote: [] });
    for (const sql of STATEMENTS) expected.set(sql, await resultOf(local, sql));
  });

  afterAll(() => {
    for (const folder of folders) folder[Symbol.dispose]();
  });

  test("most of the statements return rows, so that missing rows are detected", () => {
    const bare = [...expected].filter(([, result]) => typeof result === "string" || String(result) === "");
    expect(bare.map(([sql]) => sql)).toEqual([
      "SELECT id FROM b WHERE id NOT IN (1, 2, NULL)",
      "SELECT id FROM b WHERE id = NULL",
      "SELECT id FROM b WHERE id = 99999999999999999999999",
      "SELECT id FROM b WHERE no_column < now()",
      "SELECT a.id FROM a ANTI JOIN b ON a.id = b.id WHERE a.kind = 1",
    ]);
  });

  describe.each(setups)(
    "with $remote live by $by, the result equals that of local tables",
    ({ by, remote }) => {
      let live: Agnes;
      beforeAll(async () => {
        live = await openLiveShop(newFolder(), { remote, by });
      });
      afterAll(() => live.close());
      test.each(STATEMENTS)("%s", async (sql) => {
        expect(await resultOf(live, sql)).toEqual(expected.get(sql) as string[]);
      });
    },
  );
}

/** The rows, sorted, or the error. */
async function resultOf(agnes: Agnes, sql: string): Promise<readonly string[] | string> {
  try {
    const rows = await agnes.rows(sql, { limits: { timeoutMs: 10_000 } });
    return rows.map((row) => JSON.stringify(row)).sort();
  } catch (error) {
    return (error as { readonly code: string }).code;
  }
}
