-- migrate:up
--
-- Whether what was deleted was erased with its user: usage that a journal brings later is kept as it is
-- after a deletion, and is of nobody after an erasure. Documents, too: usage that names no user may be of
-- nothing else.

ALTER TABLE chat_deletions ADD COLUMN erased_at timestamptz;
-- Nobody can tell any more; an address that is gone too early is better than one that is not.
UPDATE chat_deletions SET erased_at = deleted_at;

CREATE TABLE chat_erased_documents (
    document_id uuid NOT NULL,
    session_id uuid NOT NULL,
    erased_at timestamptz NOT NULL,
    PRIMARY KEY (document_id, session_id)
);

INSERT INTO conversation_schema (version, name)
VALUES (20261129200000, 'erasures');

-- migrate:down
-- DROP TABLE chat_erased_documents;
-- ALTER TABLE chat_deletions DROP COLUMN erased_at;
-- DELETE FROM conversation_schema WHERE version = 20261129200000;
