-- migrate:up
--
-- The sums under daily_usage_summary. Whoever writes usage_logs, triggers note which hours are touched;
-- a refresh sums those hours anew, and no others. The view adds what is noted and not summed yet from
-- the ledger itself, so that it is exact at any moment. Triggers know no function of this library:
-- any program may write.

-- Hours of UTC, as the time they begin at. A sum counts known values only; unreported and unpriced
-- say how many had none.
CREATE TABLE usage_hourly (
    hour TEXT NOT NULL CHECK (hour GLOB '????-??-??T??:00:00.000000Z'),
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
    cost_usd TEXT NOT NULL,
    PRIMARY KEY (hour, service, operation)
) STRICT, WITHOUT ROWID;

-- Hours whose row in usage_hourly is missing or out of date.
CREATE TABLE usage_hourly_changes (
    hour TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TRIGGER usage_logs_inserted AFTER INSERT ON usage_logs
WHEN NOT EXISTS (SELECT 1 FROM usage_hourly_changes
                 WHERE hour = substr(new.created_at, 1, 14) || '00:00.000000Z')
BEGIN
    INSERT INTO usage_hourly_changes VALUES (substr(new.created_at, 1, 14) || '00:00.000000Z');
END;
CREATE TRIGGER usage_logs_deleted AFTER DELETE ON usage_logs
WHEN NOT EXISTS (SELECT 1 FROM usage_hourly_changes
                 WHERE hour = substr(old.created_at, 1, 14) || '00:00.000000Z')
BEGIN
    INSERT INTO usage_hourly_changes VALUES (substr(old.created_at, 1, 14) || '00:00.000000Z');
END;
CREATE TRIGGER usage_logs_updated AFTER UPDATE ON usage_logs
BEGIN
    INSERT INTO usage_hourly_changes
    SELECT hour FROM (SELECT substr(old.created_at, 1, 14) || '00:00.000000Z' AS hour
                      UNION SELECT substr(new.created_at, 1, 14) || '00:00.000000Z') touched
    WHERE NOT EXISTS (SELECT 1 FROM usage_hourly_changes c WHERE c.hour = touched.hour);
END;

INSERT INTO usage_hourly_changes
SELECT DISTINCT substr(created_at, 1, 14) || '00:00.000000Z' FROM usage_logs;

-- The same columns as before. Days of UTC; a sum of which nothing is known is NULL, not 0.
DROP VIEW daily_usage_summary;
CREATE VIEW daily_usage_summary AS
SELECT substr(hour, 1, 10) AS date,
       service,
       operation,
       sum(records) AS count,
       CASE WHEN sum(unreported) < sum(records) THEN sum(total_tokens) END AS total_tokens,
       CASE WHEN sum(unpriced) < sum(records) THEN decimal_sum(cost_usd) END AS total_cost
FROM (SELECT hour, service, operation, records, unreported, unpriced, total_tokens, cost_usd
      FROM usage_hourly h
      WHERE NOT EXISTS (SELECT 1 FROM usage_hourly_changes c WHERE c.hour = h.hour)
      UNION ALL
      SELECT c.hour, l.service, l.operation, 1, l.total_tokens IS NULL, l.cost_usd IS NULL,
             l.total_tokens, l.cost_usd
      FROM usage_hourly_changes c CROSS JOIN usage_logs l
      WHERE l.created_at >= c.hour AND l.created_at < substr(c.hour, 1, 13) || '~')
GROUP BY 1, 2, 3;

INSERT INTO conversation_schema (version, name)
VALUES (20261125400000, 'daily_usage');

-- migrate:down
-- DROP TRIGGER usage_logs_inserted;
-- DROP TRIGGER usage_logs_deleted;
-- DROP TRIGGER usage_logs_updated;
-- DROP VIEW daily_usage_summary;
-- DROP TABLE usage_hourly;
-- DROP TABLE usage_hourly_changes;
-- CREATE VIEW daily_usage_summary AS
-- SELECT substr(created_at, 1, 10) AS date, service, operation, count(*) AS count,
--        sum(total_tokens) AS total_tokens, decimal_sum(cost_usd) AS total_cost
-- FROM usage_logs GROUP BY 1, 2, 3;
-- DELETE FROM conversation_schema WHERE version = 20261125400000;
