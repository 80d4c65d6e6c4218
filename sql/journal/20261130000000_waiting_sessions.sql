-- migrate:up
--
-- Whether an exchange of a session waits is asked before each save while anything waits: without this
-- all that waits would be read for it.

CREATE INDEX idx_journal_session ON journal (session_id) WHERE kind = 'exchange';

INSERT INTO conversation_schema (version, name)
VALUES (20261130000000, 'waiting_sessions');

-- migrate:down
-- DROP INDEX idx_journal_session;
-- DELETE FROM conversation_schema WHERE version = 20261130000000;
