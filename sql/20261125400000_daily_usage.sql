-- migrate:up
--
-- The sums under daily_usage_summary. Whoever writes usage_logs, a trigger notes what the statement
-- changed as rows of usage_hourly_changes, in the same transaction: a record that commits late brings
-- its sums along, and one that is deleted takes them back. A refresh takes these rows away and adds
-- them to usage_hourly, so that it costs what is new and not what was ever saved. Writers only insert
-- and never wait for each other. At any moment usage_hourly and usage_hourly_changes together are the
-- sums of usage_logs.

-- Hours of UTC. A sum counts known values only; unreported and unpriced say how many had none. Sums of
-- bigint are numeric: no record can be too large to be saved.
CREATE TABLE usage_hourly (
    hour timestamptz NOT NULL,
    service text NOT NULL,
    operation text NOT NULL,
    records bigint NOT NULL,
    failed bigint NOT NULL,
    unreported bigint NOT NULL,
    unpriced bigint NOT NULL,
    input_tokens numeric NOT NULL,
    output_tokens numeric NOT NULL,
    total_tokens numeric NOT NULL,
    cache_read_tokens numeric NOT NULL,
    cache_write_tokens numeric NOT NULL,
    reasoning_tokens numeric NOT NULL,
    cost_usd numeric NOT NULL,
    PRIMARY KEY (hour, service, operation)
);

-- What is to be added; negative for records that are gone. It has no key: nobody waits for one.
CREATE TABLE usage_hourly_changes (LIKE usage_hourly);

-- With the rights of the schema's owner: who may write usage needs no right to the sums.
CREATE FUNCTION usage_logs_note_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO usage_hourly_changes
        SELECT date_trunc('hour', created_at, 'UTC'), service, operation,
               -count(*), -count(*) FILTER (WHERE status = 'failed'),
               count(total_tokens) - count(*), count(cost_usd) - count(*),
               -coalesce(sum(input_tokens), 0), -coalesce(sum(output_tokens), 0),
               -coalesce(sum(total_tokens), 0), -coalesce(sum(cache_read_tokens), 0),
               -coalesce(sum(cache_write_tokens), 0), -coalesce(sum(reasoning_tokens), 0),
               -coalesce(sum(cost_usd), 0)
        FROM old_rows GROUP BY 1, 2, 3;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO usage_hourly_changes
        SELECT date_trunc('hour', created_at, 'UTC'), service, operation,
               count(*), count(*) FILTER (WHERE status = 'failed'),
               count(*) - count(total_tokens), count(*) - count(cost_usd),
               coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
               coalesce(sum(total_tokens), 0), coalesce(sum(cache_read_tokens), 0),
               coalesce(sum(cache_write_tokens), 0), coalesce(sum(reasoning_tokens), 0),
               coalesce(sum(cost_usd), 0)
        FROM new_rows GROUP BY 1, 2, 3;
    END IF;
    RETURN NULL;
END
$$;

-- Nothing remains, and so nothing to add: who empties the ledger waits for a refresh under way.
CREATE FUNCTION usage_logs_note_truncation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    DELETE FROM usage_hourly_changes;
    INSERT INTO usage_hourly_changes
    SELECT hour, service, operation, -records, -failed, -unreported, -unpriced, -input_tokens,
           -output_tokens, -total_tokens, -cache_read_tokens, -cache_write_tokens,
           -reasoning_tokens, -cost_usd
    FROM usage_hourly;
    RETURN NULL;
END
$$;

-- The functions run as their owner, so that they must not find other tables of the same names.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['usage_logs_note_changes', 'usage_logs_note_truncation'] LOOP
        EXECUTE format('ALTER FUNCTION %I() SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %I() FROM PUBLIC', name);
    END LOOP;
END
$$;

-- From here on nobody writes usage until this transaction ends, so that what is there is counted once.
CREATE TRIGGER usage_logs_inserted AFTER INSERT ON usage_logs
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION usage_logs_note_changes();
CREATE TRIGGER usage_logs_updated AFTER UPDATE ON usage_logs
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION usage_logs_note_changes();
CREATE TRIGGER usage_logs_deleted AFTER DELETE ON usage_logs
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION usage_logs_note_changes();
CREATE TRIGGER usage_logs_truncated AFTER TRUNCATE ON usage_logs
    FOR EACH STATEMENT EXECUTE FUNCTION usage_logs_note_truncation();

INSERT INTO usage_hourly
SELECT date_trunc('hour', created_at, 'UTC'), service, operation,
       count(*), count(*) FILTER (WHERE status = 'failed'),
       count(*) - count(total_tokens), count(*) - count(cost_usd),
       coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
       coalesce(sum(total_tokens), 0), coalesce(sum(cache_read_tokens), 0),
       coalesce(sum(cache_write_tokens), 0), coalesce(sum(reasoning_tokens), 0),
       coalesce(sum(cost_usd), 0)
FROM usage_logs GROUP BY 1, 2, 3;

-- The same columns as before. Days of UTC; a sum of which nothing is known is NULL, not 0.
DROP MATERIALIZED VIEW daily_usage_summary;
CREATE MATERIALIZED VIEW daily_usage_summary AS
SELECT (hour AT TIME ZONE 'UTC')::date AS date,
       service,
       operation,
       sum(records)::bigint AS count,
       CASE WHEN sum(unreported) < sum(records) THEN sum(total_tokens) END AS total_tokens,
       CASE WHEN sum(unpriced) < sum(records) THEN sum(cost_usd) END AS total_cost
FROM usage_hourly
GROUP BY 1, 2, 3
HAVING sum(records) > 0;
CREATE UNIQUE INDEX idx_daily_usage_summary ON daily_usage_summary (date, service, operation);

INSERT INTO conversation_schema (version, name)
VALUES (20261125400000, 'daily_usage');

-- migrate:down
-- DROP TRIGGER usage_logs_inserted ON usage_logs;
-- DROP TRIGGER usage_logs_updated ON usage_logs;
-- DROP TRIGGER usage_logs_deleted ON usage_logs;
-- DROP TRIGGER usage_logs_truncated ON usage_logs;
-- DROP FUNCTION usage_logs_note_changes();
-- DROP FUNCTION usage_logs_note_truncation();
-- DROP MATERIALIZED VIEW daily_usage_summary;
-- DROP TABLE usage_hourly, usage_hourly_changes;
-- CREATE MATERIALIZED VIEW daily_usage_summary AS
-- SELECT (created_at AT TIME ZONE 'UTC')::date AS date, service, operation, count(*) AS count,
--        sum(total_tokens) AS total_tokens, sum(cost_usd) AS total_cost
-- FROM usage_logs GROUP BY 1, 2, 3;
-- CREATE UNIQUE INDEX idx_daily_usage_summary ON daily_usage_summary (date, service, operation);
-- DELETE FROM conversation_schema WHERE version = 20261125400000;
