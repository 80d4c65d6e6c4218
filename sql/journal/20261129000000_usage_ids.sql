-- migrate:up
--
-- Exchanges and usage records choose their ids apart from each other, so that one of each may have the
-- same. `is_usage` tells them apart, also when they are dead letters: the first byte of a usage record
-- is U.

ALTER TABLE journal ADD COLUMN is_usage INTEGER NOT NULL DEFAULT 0 CHECK (is_usage IN (0, 1));
UPDATE journal SET is_usage = 1
WHERE kind = 'usage' OR (kind = 'dead' AND substr(record, 1, 1) = x'55');
DROP INDEX idx_journal_item;
CREATE UNIQUE INDEX idx_journal_item ON journal (item_id, session_id, is_usage);

INSERT INTO conversation_schema (version, name)
VALUES (20261129000000, 'usage_ids');

-- migrate:down
-- DROP INDEX idx_journal_item;
-- CREATE UNIQUE INDEX idx_journal_item ON journal (item_id, session_id);
-- ALTER TABLE journal DROP COLUMN is_usage;
-- DELETE FROM conversation_schema WHERE version = 20261129000000;
