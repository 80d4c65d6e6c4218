-- migrate:up
--
-- What a summary covers, and what it cost. `last_position` is the last message that is in it: the way
-- back from that message is all of it, whatever branches off before or after. `log_id` names its usage
-- record.

ALTER TABLE chat_sessions_summary
    ADD COLUMN last_position bigint NOT NULL DEFAULT 0 CHECK (last_position >= 0),
    ADD COLUMN model text,
    ADD COLUMN log_id uuid,
    ADD COLUMN originals bytea;
CREATE INDEX idx_chat_sessions_summary_created_at ON chat_sessions_summary (created_at, summary_id);

INSERT INTO conversation_schema (version, name)
VALUES (20261126200000, 'summaries');

-- migrate:down
-- DROP INDEX idx_chat_sessions_summary_created_at;
-- ALTER TABLE chat_sessions_summary DROP COLUMN last_position, DROP COLUMN model,
--     DROP COLUMN log_id, DROP COLUMN originals;
-- DELETE FROM conversation_schema WHERE version = 20261126200000;
