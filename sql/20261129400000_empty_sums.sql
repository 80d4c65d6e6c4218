-- migrate:up
--
-- Hours and days whose last record went were left with zeros by earlier versions, one hour by each health
-- check. A refresh takes such a row away when its record goes, and looks for no others.

-- As a refresh does: nobody adds to the hours meanwhile.
LOCK TABLE usage_hourly IN SHARE ROW EXCLUSIVE MODE;
DELETE FROM usage_hourly WHERE records = 0 AND total_tokens = 0 AND cost_usd = 0;
DELETE FROM usage_daily WHERE records = 0 AND total_tokens = 0 AND cost_usd = 0;

INSERT INTO conversation_schema (version, name)
VALUES (20261129400000, 'empty_sums');

-- migrate:down
-- DELETE FROM conversation_schema WHERE version = 20261129400000;
