-- migrate:up
--
-- As on PostgreSQL: hours and days without a record that earlier versions left. An amount is text, and
-- of 0, 0.00 and -0 nothing is left without these signs.

DELETE FROM usage_hourly WHERE records = 0 AND total_tokens = 0 AND ltrim(cost_usd, '-0.') = '';
DELETE FROM usage_daily WHERE records = 0 AND total_tokens = 0 AND ltrim(cost_usd, '-0.') = '';

INSERT INTO conversation_schema (version, name)
VALUES (20261129400000, 'empty_sums');

-- migrate:down
-- DELETE FROM conversation_schema WHERE version = 20261129400000;
