-- migrate:up
--
-- Nothing here: on SQLite the view daily_usage_summary was made anew, in plain SQL as it always was on
-- PostgreSQL. Both stores count the same versions.

INSERT INTO conversation_schema (version, name)
VALUES (20261126300000, 'plain_summary');

-- migrate:down
-- DELETE FROM conversation_schema WHERE version = 20261126300000;
