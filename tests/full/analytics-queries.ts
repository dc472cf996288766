/** Two hundred queries as analysts write them, over `orders` and `customers` of `SHOP`: 20 kinds, each with 10 values. */
export function analyticsQueries(): readonly string[] {
  return Array.from({ length: 10 }, (_, n) => KINDS.map((kind) => kind(n))).flat();
}

const KINDS: readonly ((n: number) => string)[] = [
  (n) =>
    `SELECT customer, count(*) AS n, sum(price) AS total FROM orders WHERE id % 10 = ${n} GROUP BY ALL ORDER BY ALL`,
  (n) =>
    `SELECT c.name, avg(o.price) AS mean FROM orders o JOIN customers c ON c.id = o.customer WHERE o.id > ${n * 1000} GROUP BY 1 ORDER BY 1`,
  (n) =>
    `SELECT date_trunc('month', day) AS month, count(*) AS n FROM orders WHERE customer >= ${n % 7} AND id >= ${n} GROUP BY 1 ORDER BY 1`,
  (n) =>
    `SELECT id, price, rank() OVER (PARTITION BY customer ORDER BY price DESC, id) AS place FROM orders WHERE id < ${100 + n} ORDER BY id`,
  (n) =>
    `SELECT id, sum(price) OVER (ORDER BY id ROWS BETWEEN ${n} PRECEDING AND CURRENT ROW) AS moving FROM orders ORDER BY id LIMIT 50`,
  (n) =>
    `WITH top AS (SELECT customer, sum(price) AS total FROM orders WHERE id >= ${n} GROUP BY 1) SELECT name, total FROM top JOIN customers ON id = customer ORDER BY total DESC, name LIMIT ${1 + (n % 7)}`,
  (n) =>
    `SELECT customer FROM orders GROUP BY customer HAVING sum(price) > ${250_000 + n * 10_000} ORDER BY 1`,
  (n) =>
    `SELECT count(DISTINCT label) AS n, min(day) AS first, max(day) AS last FROM orders WHERE label LIKE 'o${n}%'`,
  (n) =>
    `SELECT quantile_cont(price, 0.${n}5) AS q, median(price) AS m, stddev(price)::DECIMAL(18, 6) AS s FROM orders`,
  (n) =>
    `SELECT CASE WHEN price < ${n * 20} THEN 'low' ELSE 'high' END AS band, count(*) AS n FROM orders GROUP BY 1 ORDER BY 1`,
  (n) =>
    `SELECT name, (SELECT max(price) FROM orders o WHERE o.customer = c.id AND o.id < ${1000 + n}) AS top FROM customers c ORDER BY name`,
  (n) =>
    `SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer = c.id AND o.price = ${n}.25) ORDER BY 1`,
  (n) =>
    `SELECT customer, list(id ORDER BY id)[1:3]::VARCHAR AS ids FROM orders WHERE id >= ${n * 100} GROUP BY 1 ORDER BY 1`,
  (n) =>
    `PIVOT (SELECT customer, 'k' || id % 3 AS kind, price FROM orders WHERE id > ${n}) ON kind IN ('k0', 'k1', 'k2') USING sum(price) GROUP BY customer ORDER BY customer`,
  (n) =>
    `SELECT upper(label) AS u, length(label) AS l, replace(label, 'o', 'order ') AS r FROM orders WHERE id BETWEEN ${n * 7} AND ${n * 7 + 5} ORDER BY id`,
  (n) =>
    `SELECT day, day + INTERVAL ${n} DAY AS due, datediff('day', DATE '2026-01-01', day) AS age FROM orders ORDER BY id LIMIT 10 OFFSET ${n}`,
  (n) =>
    `SELECT customer, kind, count(*) AS n FROM (SELECT customer, id % ${2 + n} AS kind FROM orders) GROUP BY GROUPING SETS ((customer), (kind), ()) ORDER BY ALL`,
  (n) =>
    `SELECT id FROM orders WHERE customer = ${n % 7} AND id >= ${n} UNION SELECT id FROM orders WHERE price > 249 ORDER BY id LIMIT 30`,
  (n) =>
    `SELECT customer, id, price FROM orders WHERE id >= ${n} QUALIFY row_number() OVER (PARTITION BY customer ORDER BY price DESC, id) <= ${1 + (n % 3)} ORDER BY ALL`,
  (n) =>
    `WITH RECURSIVE t AS (SELECT ${n} AS i UNION ALL SELECT i + 1 FROM t WHERE i < ${n + 5}) SELECT i, o.label FROM t JOIN orders o ON o.id = i ORDER BY i`,
];
