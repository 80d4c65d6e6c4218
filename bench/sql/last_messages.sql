-- The last 50 messages of a session, and one more to see whether there are others: what the library
-- asks for. Of :sessions sessions, any.
\set session random(0, :sessions - 1)
SELECT m.message_id, m.role, m.content, m.parts, m.tool_calls, m.tool_call_id, m.name, m.model,
    m.status, m.position, m.metadata, m.originals, m.created_at
FROM chat_messages m
WHERE m.session_id = ('01890a5d-ac96-7001-8000-' || lpad(:session::text, 12, '0'))::uuid
    AND m.position < 9223372036854775807
ORDER BY m.position DESC LIMIT 51;
