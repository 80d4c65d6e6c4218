-- migrate:up
--
-- daily_usage_summary over sums that a refresh adds to. REFRESH of a materialized view reads all hours of
-- all series that were ever saved, so that its cost follows the history. The view keeps its name and its
-- columns and is a plain one; a refresh adds the same changes to hours and to days, each by its key.

-- Days of UTC: what the view needs of usage_hourly.
CREATE TABLE usage_daily (
    date date NOT NULL,
    service text NOT NULL,
    operation text NOT NULL,
    records bigint NOT NULL,
    unreported bigint NOT NULL,
    unpriced bigint NOT NULL,
    total_tokens numeric NOT NULL,
    cost_usd numeric NOT NULL,
    PRIMARY KEY (date, service, operation)
);

-- As a refresh does: nobody adds to the hours meanwhile.
LOCK TABLE usage_hourly IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO usage_daily
SELECT (hour AT TIME ZONE 'UTC')::date, service, operation, sum(records), sum(unreported),
       sum(unpriced), sum(total_tokens), sum(cost_usd)
FROM usage_hourly GROUP BY 1, 2, 3;

-- A sum of which nothing is known is NULL, not 0.
DROP MATERIALIZED VIEW daily_usage_summary;
CREATE VIEW daily_usage_summary AS
SELECT date,
       service,
       operation,
       records AS count,
       CASE WHEN unreported < records THEN total_tokens END AS total_tokens,
       CASE WHEN unpriced < records THEN cost_usd END AS total_cost
FROM usage_daily
WHERE records > 0;

INSERT INTO conversation_schema (version, name)
VALUES (20261129100000, 'daily_sums');

-- migrate:down
-- DROP VIEW daily_usage_summary;
-- DROP TABLE usage_daily;
-- CREATE MATERIALIZED VIEW daily_usage_summary AS
-- SELECT (hour AT TIME ZONE 'UTC')::date AS date, service, operation, sum(records)::bigint AS count,
--        CASE WHEN sum(unreported) < sum(records) THEN sum(total_tokens) END AS total_tokens,
--        CASE WHEN sum(unpriced) < sum(records) THEN sum(cost_usd) END AS total_cost
-- FROM usage_hourly GROUP BY 1, 2, 3 HAVING sum(records) > 0;
-- CREATE UNIQUE INDEX idx_daily_usage_summary ON daily_usage_summary (date, service, operation);
-- DELETE FROM conversation_schema WHERE version = 20261129100000;
