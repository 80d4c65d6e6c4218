-- migrate:up
--
-- Conversations and what they cost. Names are unqualified: the role's search_path decides the schema.
-- There are no foreign keys between the hot tables: every row of an exchange is written by the one
-- statement that its gate row allows, and usage outlives the conversation it belongs to. Every unique
-- key holds session_id, so that the tables can be distributed by it, and the keys of chat_messages
-- and usage_logs begin with a UUIDv7, so that they can be partitioned by time.

-- Which schema this is. `checksum` is empty where psql or another tool applied a file.
CREATE TABLE conversation_schema (
    version bigint PRIMARY KEY,
    name text NOT NULL,
    checksum text,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- The spelling of user ids that are not UUIDs.
CREATE TABLE chat_users (
    user_id uuid PRIMARY KEY,
    external_id text,
    originals bytea,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- `last_position` is the position given out last. It never steps back, so that a position is never
-- used twice; `message_count` does when a failed attempt is replaced.
CREATE TABLE chat_sessions (
    session_id uuid PRIMARY KEY,
    user_id uuid,
    external_id text,
    title text,
    message_count bigint NOT NULL DEFAULT 0 CHECK (message_count >= 0),
    last_position bigint NOT NULL DEFAULT 0 CHECK (last_position >= message_count),
    metadata jsonb,
    originals bytea,
    created_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(created_at)),
    updated_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(updated_at))
);
CREATE INDEX idx_chat_sessions_updated_at ON chat_sessions (updated_at, session_id);
CREATE INDEX idx_chat_sessions_user_id ON chat_sessions (user_id, updated_at, session_id)
    WHERE user_id IS NOT NULL;

-- One row for each exchange: the gate. Whoever inserts it also writes the messages and the usage
-- record; whoever finds it there compares the hashes and writes nothing.
CREATE TABLE chat_exchanges (
    session_id uuid NOT NULL,
    exchange_id uuid NOT NULL,
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 16),
    reply_hash bytea NOT NULL CHECK (octet_length(reply_hash) = 16),
    status text NOT NULL CHECK (status IN ('complete', 'interrupted', 'failed')),
    message_count integer NOT NULL CHECK (message_count > 0),
    first_message_id uuid NOT NULL,
    log_id uuid NOT NULL,
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    PRIMARY KEY (session_id, exchange_id)
);

-- `position` is the order of a session; two messages may share a time. `place` counts within the
-- exchange, from 0, so that a reader finds where one begins. `originals` keeps, exactly, what a column
-- can't: NULs and bytes that are not UTF-8, and the JSON text as it was written.
CREATE TABLE chat_messages (
    message_id uuid NOT NULL,
    session_id uuid NOT NULL,
    user_id uuid,
    role text NOT NULL CHECK (role IN ('system', 'developer', 'user', 'assistant', 'tool')),
    content text,
    parts jsonb,
    tool_calls jsonb,
    tool_call_id text,
    name text,
    model text,
    status text NOT NULL CHECK (status IN ('complete', 'interrupted', 'failed')),
    position bigint NOT NULL CHECK (position > 0),
    place integer NOT NULL CHECK (place >= 0),
    metadata jsonb,
    originals bytea,
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    PRIMARY KEY (message_id, session_id)
);
-- Long texts compress several times faster with lz4, which a server may be built without.
DO $$
BEGIN
    ALTER TABLE chat_messages ALTER COLUMN content SET COMPRESSION lz4;
    ALTER TABLE chat_messages ALTER COLUMN originals SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;
CREATE UNIQUE INDEX idx_chat_messages_session_id ON chat_messages (session_id, position);
CREATE INDEX idx_chat_messages_created_at ON chat_messages (created_at);

-- The ledger. Counts that nobody reported are NULL; so is the cost where no price was known. A record
-- without a session has the nil UUID, because the unique key holds session_id.
CREATE TABLE usage_logs (
    log_id uuid NOT NULL,
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    user_id uuid,
    user_email text,
    session_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    service text NOT NULL,
    operation text NOT NULL,
    model text,
    provider text,
    input_tokens bigint CHECK (input_tokens >= 0),
    output_tokens bigint CHECK (output_tokens >= 0),
    total_tokens bigint CHECK (total_tokens >= 0),
    cache_read_tokens bigint CHECK (cache_read_tokens >= 0),
    cache_write_tokens bigint CHECK (cache_write_tokens >= 0),
    reasoning_tokens bigint CHECK (reasoning_tokens >= 0),
    latency_ms bigint CHECK (latency_ms >= 0),
    cost_usd numeric CHECK (cost_usd >= 0 AND cost_usd < 'Infinity'),
    price text,
    status text NOT NULL CHECK (status IN ('complete', 'interrupted', 'failed')),
    error text,
    raw jsonb,
    metadata jsonb,
    originals bytea,
    PRIMARY KEY (log_id, session_id)
);
CREATE INDEX idx_usage_logs_created_at ON usage_logs (created_at);
CREATE INDEX idx_usage_logs_service_operation ON usage_logs (service, operation);
CREATE INDEX idx_usage_logs_session_id ON usage_logs (session_id, created_at)
    WHERE session_id <> '00000000-0000-0000-0000-000000000000';
CREATE INDEX idx_usage_logs_user_id ON usage_logs (user_id, created_at) WHERE user_id IS NOT NULL;

CREATE TABLE chat_sessions_summary (
    summary_id uuid PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES chat_sessions (session_id) ON DELETE CASCADE,
    summary text NOT NULL,
    key_points jsonb,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_chat_sessions_summary_session_id ON chat_sessions_summary (session_id, created_at);

-- Days of UTC. Sums of what is known; a day without any known cost has a NULL sum, not 0.
CREATE MATERIALIZED VIEW daily_usage_summary AS
SELECT (created_at AT TIME ZONE 'UTC')::date AS date,
       service,
       operation,
       count(*) AS count,
       sum(total_tokens) AS total_tokens,
       sum(cost_usd) AS total_cost
FROM usage_logs
GROUP BY 1, 2, 3;
CREATE UNIQUE INDEX idx_daily_usage_summary ON daily_usage_summary (date, service, operation);

INSERT INTO conversation_schema (version, name)
VALUES (20261123000000, 'conversations_and_usage');

-- migrate:down
-- DROP MATERIALIZED VIEW daily_usage_summary;
-- DROP TABLE chat_sessions_summary, usage_logs, chat_messages, chat_exchanges, chat_sessions,
--     chat_users, conversation_schema;
