-- migrate:up
--
-- The mirror of the PostgreSQL migration.

ALTER TABLE chat_sessions_summary
    ADD COLUMN last_position INTEGER NOT NULL DEFAULT 0 CHECK (last_position >= 0);
ALTER TABLE chat_sessions_summary ADD COLUMN model TEXT;
ALTER TABLE chat_sessions_summary ADD COLUMN log_id TEXT;
ALTER TABLE chat_sessions_summary ADD COLUMN originals BLOB;
CREATE INDEX idx_chat_sessions_summary_created_at ON chat_sessions_summary (created_at, summary_id);

INSERT INTO conversation_schema (version, name)
VALUES (20261126200000, 'summaries');

-- migrate:down
-- DROP INDEX idx_chat_sessions_summary_created_at;
-- ALTER TABLE chat_sessions_summary DROP COLUMN last_position;
-- ALTER TABLE chat_sessions_summary DROP COLUMN model;
-- ALTER TABLE chat_sessions_summary DROP COLUMN log_id;
-- ALTER TABLE chat_sessions_summary DROP COLUMN originals;
-- DELETE FROM conversation_schema WHERE version = 20261126200000;
