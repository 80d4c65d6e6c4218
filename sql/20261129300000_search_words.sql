-- migrate:up
--
-- Words are divided by the library now, not by what the locale of the database takes for a letter.
-- What was indexed is indexed anew: whoever searches works the queue off, as ever.

DELETE FROM chat_search;
DELETE FROM chat_search_queue;

INSERT INTO chat_search_queue (session_ids, first_positions, message_counts)
SELECT array_agg(session_id), array_agg(1), array_agg(last_position)
FROM (SELECT session_id, last_position, (row_number() OVER (ORDER BY session_id) - 1) / 16 AS part
      FROM chat_sessions WHERE message_count > 0) AS s
GROUP BY part ORDER BY part;

INSERT INTO conversation_schema (version, name)
VALUES (20261129300000, 'search_words');

-- migrate:down
-- DELETE FROM conversation_schema WHERE version = 20261129300000;
