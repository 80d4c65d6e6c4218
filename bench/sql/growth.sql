-- Fills the library's tables as long use does: the messages of all sessions came mixed, so that those
-- of one session lie far apart. Texts are cut to 200 bytes, or ten million messages would not fit.
CREATE FUNCTION bench_id(kind text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT ('01890a5d-ac96-7' || kind || '-8000-' || lpad(n::text, 12, '0'))::uuid
$$;

-- `sessions` sessions from number `first` on, with `exchanges` exchanges each.
CREATE PROCEDURE bench_grow(first bigint, sessions bigint, exchanges bigint) LANGUAGE plpgsql AS $$
DECLARE
    days CONSTANT interval := interval '90 days';
BEGIN
    INSERT INTO chat_sessions (session_id, user_id, message_count, last_position, created_at,
        updated_at)
    SELECT bench_id('001', first + s), bench_id('006', s % 900), 2 * exchanges, 2 * exchanges,
        timestamptz '2026-01-01 00:00Z', timestamptz '2026-04-01 00:00Z' + s * interval '1 ms'
    FROM generate_series(0, sessions - 1) s;
    INSERT INTO chat_exchanges (session_id, exchange_id, request_hash, reply_hash, status,
        message_count, first_message_id, log_id, created_at)
    SELECT bench_id('001', first + s), bench_id('002', number), '\x00112233445566778899aabbccddeeff',
        '\x00112233445566778899aabbccddeeff', 'complete', 2, bench_id('003', 2 * number),
        bench_id('004', number), timestamptz '2026-01-01 00:00Z' + e * days / exchanges
    FROM generate_series(0, exchanges - 1) e, generate_series(0, sessions - 1) s,
        LATERAL (SELECT first * 500 + e * sessions + s AS number) ids;
    INSERT INTO chat_messages (message_id, session_id, user_id, role, content, model, status,
        position, place, created_at)
    SELECT bench_id('003', 2 * number + place), bench_id('001', first + s), bench_id('006', s % 900),
        CASE place WHEN 0 THEN 'user' ELSE 'assistant' END,
        left(CASE place WHEN 0 THEN x.question ELSE x.answer END, 200),
        CASE place WHEN 1 THEN 'gpt-4o' END, 'complete', 2 * e + place + 1, place,
        timestamptz '2026-01-01 00:00Z' + e * days / exchanges
    FROM generate_series(0, exchanges - 1) e, generate_series(0, sessions - 1) s,
        LATERAL (SELECT first * 500 + e * sessions + s AS number) ids,
        LATERAL (SELECT * FROM bench_sample b WHERE b.n = (number % 64) + 1) x,
        generate_series(0, 1) place;
END
$$;

-- What the usage of a session would be: one record for each exchange of sessions from `first` on.
CREATE PROCEDURE bench_grow_usage(first bigint) LANGUAGE sql AS $$
    INSERT INTO usage_logs (log_id, session_id, created_at, service, operation, model, provider,
        input_tokens, output_tokens, total_tokens, latency_ms, cost_usd, price, status)
    SELECT log_id, session_id, created_at, 'chat', 'chat', 'gpt-4o', 'openai', 44, 188, 232, 850,
        0.00199, 'gpt-4o', 'complete'
    FROM chat_exchanges WHERE session_id >= bench_id('001', first)
$$;
