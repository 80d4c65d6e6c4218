-- migrate:up
--
-- Sessions that can be tagged, put away, branched, searched, and deleted for good. Nothing here costs
-- the saving of a message more than one row in a queue for each batch.

ALTER TABLE chat_sessions ADD COLUMN archived_at timestamptz;
CREATE INDEX idx_chat_sessions_archived ON chat_sessions (updated_at, session_id)
    WHERE archived_at IS NOT NULL;

CREATE TABLE chat_session_tags (
    session_id uuid NOT NULL,
    tag text NOT NULL CHECK (tag <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, tag)
);
CREATE INDEX idx_chat_session_tags_tag ON chat_session_tags (tag, session_id);

-- The messages that do not follow the one before them in the session: with `parent_id` they go on
-- from another one, the nil UUID: they begin anew. All others follow by position, so a session
-- without branches has no row here.
CREATE TABLE chat_branches (
    session_id uuid NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    message_id uuid NOT NULL,
    parent_id uuid NOT NULL,
    PRIMARY KEY (session_id, position)
);

-- Exchanges whose words are not indexed yet, a row for each batch that was saved. Whoever searches
-- works it off first: an index kept while saving would cut its rate to a tenth.
CREATE TABLE chat_search_queue (
    queue_id bigint GENERATED ALWAYS AS IDENTITY,
    session_ids uuid[] NOT NULL,
    first_positions bigint[] NOT NULL,
    message_counts bigint[] NOT NULL
);
CREATE INDEX idx_chat_search_queue ON chat_search_queue (queue_id);

CREATE TABLE chat_search (
    session_id uuid NOT NULL,
    position bigint NOT NULL,
    created_at timestamptz NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (session_id, position)
);
CREATE INDEX idx_chat_search_words ON chat_search USING gin (words);
CREATE INDEX idx_chat_search_created_at ON chat_search (created_at, session_id, position);

INSERT INTO chat_search_queue (session_ids, first_positions, message_counts)
SELECT array_agg(session_id), array_agg(1), array_agg(last_position)
FROM (SELECT session_id, last_position, (row_number() OVER (ORDER BY session_id) - 1) / 16 AS part
      FROM chat_sessions WHERE message_count > 0) AS s
GROUP BY part ORDER BY part;

-- What was deleted (a session) or erased (a user), so that a journal which still holds something of
-- it does not bring it back. One of the two ids is the nil UUID.
CREATE TABLE chat_deletions (
    session_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    user_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    deleted_at timestamptz NOT NULL,
    PRIMARY KEY (session_id, user_id)
);

INSERT INTO conversation_schema (version, name)
VALUES (20261126100000, 'sessions');

-- migrate:down
-- DROP TABLE chat_deletions, chat_search, chat_search_queue, chat_branches, chat_session_tags;
-- ALTER TABLE chat_sessions DROP COLUMN archived_at;
-- DELETE FROM conversation_schema WHERE version = 20261126100000;
