-- migrate:up
--
-- The sums as on PostgreSQL: a trigger notes what each record changes, in the transaction that saves it,
-- and a refresh adds what was noted to hours and to days, each by its key. It costs what is new, however
-- full the touched hour and however long the history is. At any moment usage_hourly and
-- usage_hourly_changes together are the sums of usage_logs; the view adds what is noted itself, and is
-- exact without a refresh. Triggers know no function of this library: any program may write. (REPLACE
-- INTO usage_logs deletes without a trigger unless PRAGMA recursive_triggers is on; reconcile names what
-- came of it.)

DROP VIEW daily_usage_summary;
DROP TRIGGER usage_logs_inserted;
DROP TRIGGER usage_logs_deleted;
DROP TRIGGER usage_logs_updated;
ALTER TABLE usage_hourly_changes RENAME TO touched;

-- What is to be added; negative for records that are gone, their amount with a '-' before it. It has no
-- key: a row is appended.
CREATE TABLE usage_hourly_changes (
    hour TEXT NOT NULL,
    service TEXT NOT NULL,
    operation TEXT NOT NULL,
    records INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    unreported INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_usd TEXT NOT NULL
) STRICT;

-- Days of UTC: what the view needs of usage_hourly.
CREATE TABLE usage_daily (
    date TEXT NOT NULL,
    service TEXT NOT NULL,
    operation TEXT NOT NULL,
    records INTEGER NOT NULL,
    unreported INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    cost_usd TEXT NOT NULL,
    PRIMARY KEY (date, service, operation)
) STRICT, WITHOUT ROWID;

-- What was summed, and the records of hours that were not: the next refresh makes hours and days of them.
INSERT INTO usage_hourly_changes
SELECT * FROM usage_hourly h WHERE NOT EXISTS (SELECT 1 FROM touched t WHERE t.hour = h.hour)
UNION ALL
SELECT t.hour, l.service, l.operation, 1, l.status = 'failed', l.total_tokens IS NULL,
       l.cost_usd IS NULL, coalesce(l.input_tokens, 0), coalesce(l.output_tokens, 0),
       coalesce(l.total_tokens, 0), coalesce(l.cache_read_tokens, 0),
       coalesce(l.cache_write_tokens, 0), coalesce(l.reasoning_tokens, 0),
       coalesce(l.cost_usd, '0')
FROM touched t CROSS JOIN usage_logs l
WHERE l.created_at >= t.hour AND l.created_at < substr(t.hour, 1, 13) || '~';
DELETE FROM usage_hourly;
DROP TABLE touched;

CREATE TRIGGER usage_logs_inserted AFTER INSERT ON usage_logs
BEGIN
    INSERT INTO usage_hourly_changes VALUES (
        substr(new.created_at, 1, 14) || '00:00.000000Z',
        new.service, new.operation, 1, new.status = 'failed', new.total_tokens IS NULL,
        new.cost_usd IS NULL, coalesce(new.input_tokens, 0), coalesce(new.output_tokens, 0),
        coalesce(new.total_tokens, 0), coalesce(new.cache_read_tokens, 0),
        coalesce(new.cache_write_tokens, 0), coalesce(new.reasoning_tokens, 0),
        coalesce(new.cost_usd, '0'));
END;
CREATE TRIGGER usage_logs_deleted AFTER DELETE ON usage_logs
BEGIN
    INSERT INTO usage_hourly_changes VALUES (
        substr(old.created_at, 1, 14) || '00:00.000000Z',
        old.service, old.operation, -1, -(old.status = 'failed'), -(old.total_tokens IS NULL),
        -(old.cost_usd IS NULL), -coalesce(old.input_tokens, 0), -coalesce(old.output_tokens, 0),
        -coalesce(old.total_tokens, 0), -coalesce(old.cache_read_tokens, 0),
        -coalesce(old.cache_write_tokens, 0), -coalesce(old.reasoning_tokens, 0),
        '-' || coalesce(old.cost_usd, '0'));
END;
CREATE TRIGGER usage_logs_updated AFTER UPDATE OF created_at, service, operation, status, input_tokens,
    output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_usd
    ON usage_logs
BEGIN
    INSERT INTO usage_hourly_changes VALUES (
        substr(old.created_at, 1, 14) || '00:00.000000Z',
        old.service, old.operation, -1, -(old.status = 'failed'), -(old.total_tokens IS NULL),
        -(old.cost_usd IS NULL), -coalesce(old.input_tokens, 0), -coalesce(old.output_tokens, 0),
        -coalesce(old.total_tokens, 0), -coalesce(old.cache_read_tokens, 0),
        -coalesce(old.cache_write_tokens, 0), -coalesce(old.reasoning_tokens, 0),
        '-' || coalesce(old.cost_usd, '0'));
    INSERT INTO usage_hourly_changes VALUES (
        substr(new.created_at, 1, 14) || '00:00.000000Z',
        new.service, new.operation, 1, new.status = 'failed', new.total_tokens IS NULL,
        new.cost_usd IS NULL, coalesce(new.input_tokens, 0), coalesce(new.output_tokens, 0),
        coalesce(new.total_tokens, 0), coalesce(new.cache_read_tokens, 0),
        coalesce(new.cache_write_tokens, 0), coalesce(new.reasoning_tokens, 0),
        coalesce(new.cost_usd, '0'));
END;

-- In plain SQL, as before: an amount is cut into eight pieces of ten digits, each piece is summed as an
-- integer, and the carries go from the last piece to the first. A piece of what is gone is negative, and
-- so may a sum of pieces be: what is carried is rounded down, so that the rest is a digit of the sum.
-- (Kept step by step, because each step reads the one before it twice.)
CREATE VIEW daily_usage_summary AS
WITH
record AS (
    SELECT date, service, operation, records, unreported, unpriced, total_tokens, cost_usd
    FROM usage_daily
    UNION ALL
    SELECT substr(hour, 1, 10), service, operation, records, unreported, unpriced, total_tokens, cost_usd
    FROM usage_hourly_changes),
signed AS (
    SELECT date, service, operation, records, unreported, unpriced, total_tokens,
           ltrim(cost_usd, '-') AS cost_usd,
           CASE WHEN cost_usd LIKE '-%' THEN -1 ELSE 1 END AS sign
    FROM record),
-- Forty digits before the point and forty behind it; kept, because each row's are read nine times. What
-- another program wrote and is no amount, as 1.2.3, has none, and the sum it belongs to is not known.
amount AS MATERIALIZED (
    SELECT *, CASE WHEN length(cost_usd) <= 40 AND cost_usd NOT GLOB '*.*.*' THEN
        substr('0000000000000000000000000000000000000000'
               || substr(cost_usd, 1, instr(cost_usd || '.', '.') - 1), -40)
        || substr(substr(cost_usd, instr(cost_usd || '.', '.') + 1)
                  || '0000000000000000000000000000000000000000', 1, 40) END AS digits
    FROM signed),
day AS (
    SELECT date, service, operation, sum(records) AS count,
           CASE WHEN sum(unreported) < sum(records) THEN sum(total_tokens) END AS total_tokens,
           sum(unpriced) < sum(records) AND count(digits) = count(*) AS priced,
           sum(sign * CAST(substr(digits, 1, 10) AS INTEGER)) AS s1,
           sum(sign * CAST(substr(digits, 11, 10) AS INTEGER)) AS s2,
           sum(sign * CAST(substr(digits, 21, 10) AS INTEGER)) AS s3,
           sum(sign * CAST(substr(digits, 31, 10) AS INTEGER)) AS s4,
           sum(sign * CAST(substr(digits, 41, 10) AS INTEGER)) AS s5,
           sum(sign * CAST(substr(digits, 51, 10) AS INTEGER)) AS s6,
           sum(sign * CAST(substr(digits, 61, 10) AS INTEGER)) AS s7,
           sum(sign * CAST(substr(digits, 71, 10) AS INTEGER)) AS c8
    FROM amount GROUP BY 1, 2, 3 HAVING sum(records) > 0),
carry7 AS MATERIALIZED (SELECT *, s7 + c8 / 10000000000 - (c8 % 10000000000 < 0) AS c7 FROM day),
carry6 AS MATERIALIZED (SELECT *, s6 + c7 / 10000000000 - (c7 % 10000000000 < 0) AS c6 FROM carry7),
carry5 AS MATERIALIZED (SELECT *, s5 + c6 / 10000000000 - (c6 % 10000000000 < 0) AS c5 FROM carry6),
carry4 AS MATERIALIZED (SELECT *, s4 + c5 / 10000000000 - (c5 % 10000000000 < 0) AS c4 FROM carry5),
carry3 AS MATERIALIZED (SELECT *, s3 + c4 / 10000000000 - (c4 % 10000000000 < 0) AS c3 FROM carry4),
carry2 AS MATERIALIZED (SELECT *, s2 + c3 / 10000000000 - (c3 % 10000000000 < 0) AS c2 FROM carry3),
carry1 AS MATERIALIZED (SELECT *, s1 + c2 / 10000000000 - (c2 % 10000000000 < 0) AS c1 FROM carry2),
text AS (
    SELECT *,
           printf('%d%010d%010d%010d', c1, (c2 % 10000000000 + 10000000000) % 10000000000,
                  (c3 % 10000000000 + 10000000000) % 10000000000,
                  (c4 % 10000000000 + 10000000000) % 10000000000) AS whole,
           printf('.%010d%010d%010d%010d', (c5 % 10000000000 + 10000000000) % 10000000000,
                  (c6 % 10000000000 + 10000000000) % 10000000000,
                  (c7 % 10000000000 + 10000000000) % 10000000000,
                  (c8 % 10000000000 + 10000000000) % 10000000000) AS fraction
    FROM carry1)
-- The shortest form: no zeros before the first digit or behind the last, no point behind a whole number.
SELECT date, service, operation, count, total_tokens,
       CASE WHEN priced THEN ltrim(substr(whole, 1, length(whole) - 1), '0') || substr(whole, -1)
                             || rtrim(rtrim(fraction, '0'), '.') END AS total_cost
FROM text;

INSERT INTO conversation_schema (version, name)
VALUES (20261129100000, 'daily_sums');

-- migrate:down
-- DROP VIEW daily_usage_summary;
-- DROP TRIGGER usage_logs_inserted;
-- DROP TRIGGER usage_logs_deleted;
-- DROP TRIGGER usage_logs_updated;
-- DROP TABLE usage_daily;
-- DROP TABLE usage_hourly_changes;
-- DELETE FROM usage_hourly;
-- CREATE TABLE usage_hourly_changes (
--     hour TEXT PRIMARY KEY
-- ) STRICT, WITHOUT ROWID;
-- CREATE TRIGGER usage_logs_inserted AFTER INSERT ON usage_logs
-- WHEN NOT EXISTS (SELECT 1 FROM usage_hourly_changes
--                  WHERE hour = substr(new.created_at, 1, 14) || '00:00.000000Z')
-- BEGIN
--     INSERT INTO usage_hourly_changes VALUES (substr(new.created_at, 1, 14) || '00:00.000000Z');
-- END;
-- CREATE TRIGGER usage_logs_deleted AFTER DELETE ON usage_logs
-- WHEN NOT EXISTS (SELECT 1 FROM usage_hourly_changes
--                  WHERE hour = substr(old.created_at, 1, 14) || '00:00.000000Z')
-- BEGIN
--     INSERT INTO usage_hourly_changes VALUES (substr(old.created_at, 1, 14) || '00:00.000000Z');
-- END;
-- CREATE TRIGGER usage_logs_updated AFTER UPDATE ON usage_logs
-- BEGIN
--     INSERT INTO usage_hourly_changes
--     SELECT hour FROM (SELECT substr(old.created_at, 1, 14) || '00:00.000000Z' AS hour
--                       UNION SELECT substr(new.created_at, 1, 14) || '00:00.000000Z') touched
--     WHERE NOT EXISTS (SELECT 1 FROM usage_hourly_changes c WHERE c.hour = touched.hour);
-- END;
-- INSERT INTO usage_hourly_changes
-- SELECT DISTINCT substr(created_at, 1, 14) || '00:00.000000Z' FROM usage_logs;
-- CREATE VIEW daily_usage_summary AS
-- WITH
-- record AS (
--     SELECT hour, service, operation, records, unreported, unpriced, total_tokens, cost_usd
--     FROM usage_hourly h
--     WHERE NOT EXISTS (SELECT 1 FROM usage_hourly_changes c WHERE c.hour = h.hour)
--     UNION ALL
--     SELECT c.hour, l.service, l.operation, 1, l.total_tokens IS NULL, l.cost_usd IS NULL,
--            l.total_tokens, l.cost_usd
--     FROM usage_hourly_changes c CROSS JOIN usage_logs l
--     WHERE l.created_at >= c.hour AND l.created_at < substr(c.hour, 1, 13) || '~'),
-- amount AS MATERIALIZED (
--     SELECT *, CASE WHEN length(cost_usd) <= 40 AND cost_usd NOT GLOB '*.*.*' THEN
--         substr('0000000000000000000000000000000000000000'
--                || substr(cost_usd, 1, instr(cost_usd || '.', '.') - 1), -40)
--         || substr(substr(cost_usd, instr(cost_usd || '.', '.') + 1)
--                   || '0000000000000000000000000000000000000000', 1, 40) END AS digits
--     FROM record),
-- day AS (
--     SELECT substr(hour, 1, 10) AS date, service, operation, sum(records) AS count,
--            CASE WHEN sum(unreported) < sum(records) THEN sum(total_tokens) END AS total_tokens,
--            sum(unpriced) < sum(records) AND count(digits) = count(cost_usd) AS priced,
--            sum(CAST(substr(digits, 1, 10) AS INTEGER)) AS s1,
--            sum(CAST(substr(digits, 11, 10) AS INTEGER)) AS s2,
--            sum(CAST(substr(digits, 21, 10) AS INTEGER)) AS s3,
--            sum(CAST(substr(digits, 31, 10) AS INTEGER)) AS s4,
--            sum(CAST(substr(digits, 41, 10) AS INTEGER)) AS s5,
--            sum(CAST(substr(digits, 51, 10) AS INTEGER)) AS s6,
--            sum(CAST(substr(digits, 61, 10) AS INTEGER)) AS s7,
--            sum(CAST(substr(digits, 71, 10) AS INTEGER)) AS c8
--     FROM amount GROUP BY 1, 2, 3),
-- carry7 AS (SELECT *, s7 + c8 / 10000000000 AS c7 FROM day),
-- carry6 AS (SELECT *, s6 + c7 / 10000000000 AS c6 FROM carry7),
-- carry5 AS (SELECT *, s5 + c6 / 10000000000 AS c5 FROM carry6),
-- carry4 AS (SELECT *, s4 + c5 / 10000000000 AS c4 FROM carry5),
-- carry3 AS (SELECT *, s3 + c4 / 10000000000 AS c3 FROM carry4),
-- carry2 AS (SELECT *, s2 + c3 / 10000000000 AS c2 FROM carry3),
-- carry1 AS (SELECT *, s1 + c2 / 10000000000 AS c1 FROM carry2),
-- text AS (
--     SELECT *,
--            printf('%d%010d%010d%010d', c1, c2 % 10000000000, c3 % 10000000000,
--                   c4 % 10000000000) AS whole,
--            printf('.%010d%010d%010d%010d', c5 % 10000000000, c6 % 10000000000, c7 % 10000000000,
--                   c8 % 10000000000) AS fraction
--     FROM carry1)
-- SELECT date, service, operation, count, total_tokens,
--        CASE WHEN priced THEN ltrim(substr(whole, 1, length(whole) - 1), '0') || substr(whole, -1)
--                              || rtrim(rtrim(fraction, '0'), '.') END AS total_cost
-- FROM text;
-- DELETE FROM conversation_schema WHERE version = 20261129100000;
