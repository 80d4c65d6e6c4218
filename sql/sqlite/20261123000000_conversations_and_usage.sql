-- migrate:up
--
-- The mirror of the PostgreSQL schema. UUIDs are 36 characters, times RFC 3339 in UTC with six places
-- (so that text order is time order), JSON is text, amounts are exact decimal text: sum them with
-- decimal_sum(), which this library and SQLite's own shell both have.

CREATE TABLE conversation_schema (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT,
    applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) STRICT;

CREATE TABLE chat_users (
    user_id TEXT PRIMARY KEY CHECK (length(user_id) = 36),
    external_id TEXT,
    originals BLOB,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) STRICT, WITHOUT ROWID;

-- `last_position` is the position given out last; it never steps back.
CREATE TABLE chat_sessions (
    session_id TEXT PRIMARY KEY CHECK (length(session_id) = 36),
    user_id TEXT,
    external_id TEXT,
    title TEXT,
    message_count INTEGER NOT NULL DEFAULT 0 CHECK (message_count >= 0),
    last_position INTEGER NOT NULL DEFAULT 0 CHECK (last_position >= message_count),
    metadata TEXT,
    originals BLOB,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_chat_sessions_updated_at ON chat_sessions (updated_at, session_id);
CREATE INDEX idx_chat_sessions_user_id ON chat_sessions (user_id, updated_at, session_id)
    WHERE user_id IS NOT NULL;

CREATE TABLE chat_exchanges (
    session_id TEXT NOT NULL CHECK (length(session_id) = 36),
    exchange_id TEXT NOT NULL CHECK (length(exchange_id) = 36),
    request_hash BLOB NOT NULL CHECK (length(request_hash) = 16),
    reply_hash BLOB NOT NULL CHECK (length(reply_hash) = 16),
    status TEXT NOT NULL CHECK (status IN ('complete', 'interrupted', 'failed')),
    message_count INTEGER NOT NULL CHECK (message_count > 0),
    first_message_id TEXT NOT NULL,
    log_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (session_id, exchange_id)
) STRICT, WITHOUT ROWID;

-- `place` counts within the exchange, from 0, so that a reader finds where one begins.
CREATE TABLE chat_messages (
    message_id TEXT NOT NULL CHECK (length(message_id) = 36),
    session_id TEXT NOT NULL CHECK (length(session_id) = 36),
    user_id TEXT,
    role TEXT NOT NULL CHECK (role IN ('system', 'developer', 'user', 'assistant', 'tool')),
    content TEXT,
    parts TEXT,
    tool_calls TEXT,
    tool_call_id TEXT,
    name TEXT,
    model TEXT,
    status TEXT NOT NULL CHECK (status IN ('complete', 'interrupted', 'failed')),
    position INTEGER NOT NULL CHECK (position > 0),
    place INTEGER NOT NULL CHECK (place >= 0),
    metadata TEXT,
    originals BLOB,
    created_at TEXT NOT NULL,
    PRIMARY KEY (message_id, session_id)
) STRICT;
CREATE UNIQUE INDEX idx_chat_messages_session_id ON chat_messages (session_id, position);
CREATE INDEX idx_chat_messages_created_at ON chat_messages (created_at);

CREATE TABLE usage_logs (
    log_id TEXT NOT NULL CHECK (length(log_id) = 36),
    created_at TEXT NOT NULL,
    user_id TEXT,
    user_email TEXT,
    session_id TEXT NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    service TEXT NOT NULL,
    operation TEXT NOT NULL,
    model TEXT,
    provider TEXT,
    input_tokens INTEGER CHECK (input_tokens >= 0),
    output_tokens INTEGER CHECK (output_tokens >= 0),
    total_tokens INTEGER CHECK (total_tokens >= 0),
    cache_read_tokens INTEGER CHECK (cache_read_tokens >= 0),
    cache_write_tokens INTEGER CHECK (cache_write_tokens >= 0),
    reasoning_tokens INTEGER CHECK (reasoning_tokens >= 0),
    latency_ms INTEGER CHECK (latency_ms >= 0),
    cost_usd TEXT CHECK (cost_usd NOT GLOB '*[^0-9.]*' AND cost_usd GLOB '[0-9]*'),
    price TEXT,
    status TEXT NOT NULL CHECK (status IN ('complete', 'interrupted', 'failed')),
    error TEXT,
    raw TEXT,
    metadata TEXT,
    originals BLOB,
    PRIMARY KEY (log_id, session_id)
) STRICT;
CREATE INDEX idx_usage_logs_created_at ON usage_logs (created_at);
CREATE INDEX idx_usage_logs_service_operation ON usage_logs (service, operation);
CREATE INDEX idx_usage_logs_session_id ON usage_logs (session_id, created_at)
    WHERE session_id <> '00000000-0000-0000-0000-000000000000';
CREATE INDEX idx_usage_logs_user_id ON usage_logs (user_id, created_at) WHERE user_id IS NOT NULL;

CREATE TABLE chat_sessions_summary (
    summary_id TEXT PRIMARY KEY CHECK (length(summary_id) = 36),
    session_id TEXT NOT NULL REFERENCES chat_sessions (session_id) ON DELETE CASCADE,
    summary TEXT NOT NULL,
    key_points TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX idx_chat_sessions_summary_session_id ON chat_sessions_summary (session_id, created_at);

CREATE VIEW daily_usage_summary AS
SELECT substr(created_at, 1, 10) AS date,
       service,
       operation,
       count(*) AS count,
       sum(total_tokens) AS total_tokens,
       decimal_sum(cost_usd) AS total_cost
FROM usage_logs
GROUP BY 1, 2, 3;

INSERT INTO conversation_schema (version, name)
VALUES (20261123000000, 'conversations_and_usage');

-- migrate:down
-- DROP VIEW daily_usage_summary;
-- DROP TABLE chat_sessions_summary;
-- DROP TABLE usage_logs;
-- DROP TABLE chat_messages;
-- DROP TABLE chat_exchanges;
-- DROP TABLE chat_sessions;
-- DROP TABLE chat_users;
-- DROP TABLE conversation_schema;
