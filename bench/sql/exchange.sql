-- One exchange in one statement, as somebody would write it who wants the same rows as the library:
-- the gate, the session with its counters, both messages, their words for the search to take up later, and
-- the usage record, all or nothing. A
-- repeated call writes nothing. Words after a colon are parameters; bench/harness makes $1, $2 … of
-- them for the drivers, and expressions for pgbench.
WITH gate AS (
    INSERT INTO chat_exchanges (session_id, exchange_id, request_hash, reply_hash, status,
        message_count, first_message_id, log_id, created_at)
    VALUES (:session_id::uuid, :exchange_id::uuid, :request_hash::bytea, :reply_hash::bytea,
        'complete', 2, :question_id::uuid, :log_id::uuid, now())
    ON CONFLICT DO NOTHING
    RETURNING session_id
), session AS (
    INSERT INTO chat_sessions AS s (session_id, user_id, message_count, last_position, created_at,
        updated_at)
    SELECT session_id, :user_id::uuid, 2, 2, now(), now() FROM gate
    ON CONFLICT (session_id) DO UPDATE SET
        message_count = s.message_count + 2,
        last_position = s.last_position + 2,
        updated_at = greatest(s.updated_at, excluded.updated_at)
    RETURNING session_id, last_position
), question AS (
    INSERT INTO chat_messages (message_id, session_id, user_id, role, content, status, position,
        place, created_at)
    SELECT :question_id::uuid, session_id, :user_id::uuid, 'user', :question::text, 'complete',
        last_position - 1, 0, now() FROM session
), answer AS (
    INSERT INTO chat_messages (message_id, session_id, user_id, role, content, model, status,
        position, place, created_at)
    SELECT :answer_id::uuid, session_id, :user_id::uuid, 'assistant', :answer::text, 'gpt-4o',
        'complete', last_position, 1, now() FROM session
), queued AS (
    INSERT INTO chat_search_queue (session_ids, first_positions, message_counts)
    SELECT ARRAY[session_id], ARRAY[last_position - 1], ARRAY[2::bigint] FROM session
), usage AS (
    INSERT INTO usage_logs (log_id, session_id, created_at, user_id, service, operation, model,
        provider, input_tokens, output_tokens, total_tokens, latency_ms, cost_usd, price, status)
    SELECT :log_id::uuid, session_id, now(), :user_id::uuid, 'chat', 'chat', 'gpt-4o', 'openai',
        :input_tokens::bigint, :output_tokens::bigint, :input_tokens::bigint + :output_tokens::bigint,
        850, :cost_usd::numeric, 'gpt-4o', 'complete' FROM session
)
SELECT last_position - 1 FROM session
