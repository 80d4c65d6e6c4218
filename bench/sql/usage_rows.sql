-- Usage records as bench_track makes them, for COPY to take.
CREATE TABLE bench_usage (LIKE usage_logs);
INSERT INTO bench_usage (log_id, created_at, user_id, service, operation, model, provider,
    input_tokens, output_tokens, total_tokens, latency_ms, cost_usd, price, status, session_id)
SELECT ('01890a5d-ac96-7004-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    timestamptz '2026-01-01 00:00Z' + n * interval '1 ms',
    ('01890a5d-ac96-7002-8000-' || lpad(to_hex(n % 900), 12, '0'))::uuid, 'documents', 'embeddings',
    'gpt-4o', 'openai', 1200, 0, 1200, 85, 0.003, 'gpt-4o', 'complete',
    '00000000-0000-0000-0000-000000000000'
FROM generate_series(1, :records) n;
