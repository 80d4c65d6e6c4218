-- migrate:up
--
-- As on PostgreSQL. The library leaves nothing but words and blanks, so marks, and letters that this
-- SQLite does not know yet, belong to words here, too.

DROP TABLE chat_search_words;
CREATE VIRTUAL TABLE chat_search_words USING fts5 (
    words, content = '', tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* Co Cn'"
);
DELETE FROM chat_search;
DELETE FROM chat_search_queue;

INSERT INTO chat_search_queue (session_id, first_position, message_count)
SELECT session_id, 1, last_position FROM chat_sessions WHERE message_count > 0 ORDER BY session_id;

INSERT INTO conversation_schema (version, name)
VALUES (20261129300000, 'search_words');

-- migrate:down
-- DROP TABLE chat_search_words;
-- CREATE VIRTUAL TABLE chat_search_words USING fts5 (
--     words, content = '', tokenize = "unicode61 remove_diacritics 0"
-- );
-- DELETE FROM chat_search;
-- INSERT INTO chat_search_queue (session_id, first_position, message_count)
-- SELECT session_id, 1, last_position FROM chat_sessions WHERE message_count > 0 ORDER BY session_id;
-- DELETE FROM conversation_schema WHERE version = 20261129300000;
