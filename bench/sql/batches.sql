-- The same rows inserted by the server itself, 64 exchanges in a transaction: nothing goes over a
-- connection, nothing is parsed or planned again, and what is inserted lies ready in the input table.
-- The gate keeps its conflict clause; positions are known beforehand.
CREATE UNLOGGED TABLE bench_input (
    n integer PRIMARY KEY, session_id uuid, exchange_id uuid, request_hash bytea, reply_hash bytea,
    question_id uuid, answer_id uuid, log_id uuid, user_id uuid, position bigint, question text,
    answer text, input_tokens bigint, output_tokens bigint, cost_usd numeric
);
ALTER TABLE bench_input ALTER question SET STORAGE PLAIN, ALTER answer SET STORAGE PLAIN;

-- As of 64 callers, one exchange of each in a batch: of 640 neighbours, every 64th belongs to the same
-- session, whose id begins with the caller as everybody's does, so that callers write to places of an
-- index that lie apart; a caller has one user and the texts that any caller of that number has.
CREATE PROCEDURE bench_fill_input(exchanges integer) LANGUAGE sql AS $$
    INSERT INTO bench_input
    SELECT i.n,
        ('01890a5d-ac96-7001-8' || lpad(to_hex(i.n % 64), 3, '0') || '-'
            || lpad(to_hex(i.n / 640), 12, '0'))::uuid,
        ('01890a5d-ac96-7002-8000-' || lpad(to_hex(i.n), 12, '0'))::uuid,
        '\x00112233445566778899aabbccddeeff', '\x00112233445566778899aabbccddeeff',
        ('01890a5d-ac96-7003-8000-' || lpad(to_hex(2 * i.n), 12, '0'))::uuid,
        ('01890a5d-ac96-7003-8000-' || lpad(to_hex(2 * i.n + 1), 12, '0'))::uuid,
        ('01890a5d-ac96-7004-8000-' || lpad(to_hex(i.n), 12, '0'))::uuid,
        ('01890a5d-ac96-7005-8000-' || lpad(to_hex(i.n % 64), 12, '0'))::uuid,
        i.n % 640 / 64 * 2 + 1, s.question, s.answer, octet_length(s.question) / 4 + 1,
        octet_length(s.answer) / 4 + 1,
        (octet_length(s.question) / 4 + 1) * 0.0000025 + (octet_length(s.answer) / 4 + 1) * 0.00001
    FROM generate_series(0, exchanges - 1) AS i (n)
    JOIN bench_sample s ON s.n = (i.n % 64 * 7 + i.n / 64) % (SELECT count(*) FROM bench_sample) + 1
$$;

-- Inserts from `first` on until the time is over or `last` is reached; counts what was committed
-- after `warmup` seconds.
CREATE PROCEDURE bench_batches(first integer, last integer, warmup float8, seconds float8,
    INOUT counted bigint, INOUT saved bigint) LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
    from_time timestamptz := began + make_interval(secs => warmup);
    to_time timestamptz := from_time + make_interval(secs => seconds);
    ended timestamptz;
    a integer := first;
    z integer;
BEGIN
    counted := 0;
    saved := 0;
    LOOP
        z := a + 63;
        IF z > last THEN RAISE EXCEPTION 'the input is too small for so much time'; END IF;
        INSERT INTO chat_exchanges (session_id, exchange_id, request_hash, reply_hash, status,
            message_count, first_message_id, log_id, created_at)
        SELECT session_id, exchange_id, request_hash, reply_hash, 'complete', 2, question_id, log_id,
            now() FROM bench_input WHERE n BETWEEN a AND z
        ON CONFLICT DO NOTHING;
        INSERT INTO chat_sessions AS s (session_id, user_id, message_count, last_position, created_at,
            updated_at)
        SELECT session_id, user_id, 2, 2, now(), now() FROM bench_input WHERE n BETWEEN a AND z
        ON CONFLICT (session_id) DO UPDATE SET
            message_count = s.message_count + 2,
            last_position = s.last_position + 2,
            updated_at = greatest(s.updated_at, excluded.updated_at);
        INSERT INTO chat_messages (message_id, session_id, user_id, role, content, model, status,
            position, place, created_at)
        SELECT question_id, session_id, user_id, 'user', question, NULL, 'complete', position, 0,
            now() FROM bench_input WHERE n BETWEEN a AND z
        UNION ALL
        SELECT answer_id, session_id, user_id, 'assistant', answer, 'gpt-4o', 'complete',
            position + 1, 1, now() FROM bench_input WHERE n BETWEEN a AND z;
        INSERT INTO chat_search_queue (session_ids, first_positions, message_counts)
        SELECT array_agg(session_id), array_agg(position), array_agg(2::bigint)
        FROM bench_input WHERE n BETWEEN a AND z;
        INSERT INTO usage_logs (log_id, session_id, created_at, user_id, service, operation, model,
            provider, input_tokens, output_tokens, total_tokens, latency_ms, cost_usd, price, status)
        SELECT log_id, session_id, now(), user_id, 'chat', 'chat', 'gpt-4o', 'openai', input_tokens,
            output_tokens, input_tokens + output_tokens, 850, cost_usd, 'gpt-4o', 'complete'
        FROM bench_input WHERE n BETWEEN a AND z;
        COMMIT;
        ended := clock_timestamp();
        saved := saved + 64;
        IF ended >= from_time AND ended < to_time THEN counted := counted + 64; END IF;
        EXIT WHEN ended >= to_time;
        a := a + 64;
    END LOOP;
END
$$;
