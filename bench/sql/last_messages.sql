-- The last 50 messages of a session, and one more to see whether there are others, by the library's own
-- SELECT (src/repositories/postgres/history.c). Of :sessions sessions, any.
\set session random(0, :sessions - 1)
SELECT m.message_id, m.role, m.content, m.parts, m.tool_calls, m.tool_call_id, m.name, m.model,
    m.status, m.position, m.metadata, m.originals, m.created_at,
    CASE WHEN (SELECT EXISTS (SELECT FROM chat_branches
        WHERE session_id = ('01890a5d-ac96-7001-8000-' || lpad(:session::text, 12, '0'))::uuid))
    THEN (SELECT b.parent_id FROM chat_branches b
        WHERE b.session_id = m.session_id AND b.position = m.position) END,
    NULL::uuid
FROM chat_messages m
WHERE m.session_id = ('01890a5d-ac96-7001-8000-' || lpad(:session::text, 12, '0'))::uuid
    AND m.position < 9223372036854775807
ORDER BY m.position DESC LIMIT 51;
