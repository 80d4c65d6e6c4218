-- migrate:up
--
-- daily_usage_summary without a function of this library, so that any program reads it. SQLite has no
-- exact numbers beyond 64 bits: an amount, which has at most 38 digits on either side of its point, is
-- cut into eight pieces of ten digits, and each piece is summed as an integer. 900 million amounts of a
-- day fit; more would be SQLite's error "integer overflow", no wrong sum. Then the carries go from the
-- last piece to the first.

DROP VIEW daily_usage_summary;
CREATE VIEW daily_usage_summary AS
WITH
-- As before: hours that are summed, and the records of those that are not summed yet.
record AS (
    SELECT hour, service, operation, records, unreported, unpriced, total_tokens, cost_usd
    FROM usage_hourly h
    WHERE NOT EXISTS (SELECT 1 FROM usage_hourly_changes c WHERE c.hour = h.hour)
    UNION ALL
    SELECT c.hour, l.service, l.operation, 1, l.total_tokens IS NULL, l.cost_usd IS NULL,
           l.total_tokens, l.cost_usd
    FROM usage_hourly_changes c CROSS JOIN usage_logs l
    WHERE l.created_at >= c.hour AND l.created_at < substr(c.hour, 1, 13) || '~'),
-- Forty digits before the point and forty behind it; kept, because each row's are read nine times. What
-- another program wrote and is no amount, as 1.2.3, has none, and the sum it belongs to is not known.
amount AS MATERIALIZED (
    SELECT *, CASE WHEN length(cost_usd) <= 40 AND cost_usd NOT GLOB '*.*.*' THEN
        substr('0000000000000000000000000000000000000000'
               || substr(cost_usd, 1, instr(cost_usd || '.', '.') - 1), -40)
        || substr(substr(cost_usd, instr(cost_usd || '.', '.') + 1)
                  || '0000000000000000000000000000000000000000', 1, 40) END AS digits
    FROM record),
day AS (
    SELECT substr(hour, 1, 10) AS date, service, operation, sum(records) AS count,
           CASE WHEN sum(unreported) < sum(records) THEN sum(total_tokens) END AS total_tokens,
           sum(unpriced) < sum(records) AND count(digits) = count(cost_usd) AS priced,
           sum(CAST(substr(digits, 1, 10) AS INTEGER)) AS s1,
           sum(CAST(substr(digits, 11, 10) AS INTEGER)) AS s2,
           sum(CAST(substr(digits, 21, 10) AS INTEGER)) AS s3,
           sum(CAST(substr(digits, 31, 10) AS INTEGER)) AS s4,
           sum(CAST(substr(digits, 41, 10) AS INTEGER)) AS s5,
           sum(CAST(substr(digits, 51, 10) AS INTEGER)) AS s6,
           sum(CAST(substr(digits, 61, 10) AS INTEGER)) AS s7,
           sum(CAST(substr(digits, 71, 10) AS INTEGER)) AS c8
    FROM amount GROUP BY 1, 2, 3),
carry7 AS (SELECT *, s7 + c8 / 10000000000 AS c7 FROM day),
carry6 AS (SELECT *, s6 + c7 / 10000000000 AS c6 FROM carry7),
carry5 AS (SELECT *, s5 + c6 / 10000000000 AS c5 FROM carry6),
carry4 AS (SELECT *, s4 + c5 / 10000000000 AS c4 FROM carry5),
carry3 AS (SELECT *, s3 + c4 / 10000000000 AS c3 FROM carry4),
carry2 AS (SELECT *, s2 + c3 / 10000000000 AS c2 FROM carry3),
carry1 AS (SELECT *, s1 + c2 / 10000000000 AS c1 FROM carry2),
text AS (
    SELECT *,
           printf('%d%010d%010d%010d', c1, c2 % 10000000000, c3 % 10000000000,
                  c4 % 10000000000) AS whole,
           printf('.%010d%010d%010d%010d', c5 % 10000000000, c6 % 10000000000, c7 % 10000000000,
                  c8 % 10000000000) AS fraction
    FROM carry1)
-- The shortest form: no zeros before the first digit or behind the last, no point behind a whole number.
SELECT date, service, operation, count, total_tokens,
       CASE WHEN priced THEN ltrim(substr(whole, 1, length(whole) - 1), '0') || substr(whole, -1)
                             || rtrim(rtrim(fraction, '0'), '.') END AS total_cost
FROM text;

INSERT INTO conversation_schema (version, name)
VALUES (20261126300000, 'plain_summary');

-- migrate:down
-- DROP VIEW daily_usage_summary;
-- CREATE VIEW daily_usage_summary AS
-- SELECT substr(hour, 1, 10) AS date,
--        service,
--        operation,
--        sum(records) AS count,
--        CASE WHEN sum(unreported) < sum(records) THEN sum(total_tokens) END AS total_tokens,
--        CASE WHEN sum(unpriced) < sum(records) THEN decimal_sum(cost_usd) END AS total_cost
-- FROM (SELECT hour, service, operation, records, unreported, unpriced, total_tokens, cost_usd
--       FROM usage_hourly h
--       WHERE NOT EXISTS (SELECT 1 FROM usage_hourly_changes c WHERE c.hour = h.hour)
--       UNION ALL
--       SELECT c.hour, l.service, l.operation, 1, l.total_tokens IS NULL, l.cost_usd IS NULL,
--              l.total_tokens, l.cost_usd
--       FROM usage_hourly_changes c CROSS JOIN usage_logs l
--       WHERE l.created_at >= c.hour AND l.created_at < substr(c.hour, 1, 13) || '~')
-- GROUP BY 1, 2, 3;
-- DELETE FROM conversation_schema WHERE version = 20261126300000;
