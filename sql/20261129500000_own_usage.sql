-- migrate:up
--
-- The usage record of an exchange is its own, also one that was tracked before. Two exchanges of one
-- session with the same log id that are saved at the same moment do not see each other within one
-- statement; each query of a function sees what is committed by then, and what the statement itself has
-- done. The record is the user's who spoke: an erasure looks for the user in the ledger.
CREATE FUNCTION chat_exchanges_own_usage(session_ids uuid[], log_ids uuid[], user_ids uuid[])
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM unnest(session_ids, log_ids) AS own (session_id, log_id)
               WHERE (SELECT count(*) FROM chat_exchanges e WHERE e.session_id = own.session_id
                      AND e.log_id = own.log_id) > 1) THEN
        RAISE cardinality_violation USING MESSAGE = 'one usage record for more than one exchange';
    END IF;
    UPDATE usage_logs l SET user_id = own.user_id,
        user_email = CASE WHEN l.user_id IS NULL THEN l.user_email END,
        originals = CASE WHEN l.user_id IS NULL THEN l.originals END
    FROM unnest(session_ids, log_ids, user_ids) AS own (session_id, log_id, user_id)
    WHERE l.session_id = own.session_id AND l.log_id = own.log_id
      AND own.user_id IS NOT NULL AND l.user_id IS DISTINCT FROM own.user_id;
    RETURN true;
END $$;

INSERT INTO conversation_schema (version, name)
VALUES (20261129500000, 'own_usage');

-- migrate:down
-- DROP FUNCTION chat_exchanges_own_usage(uuid[], uuid[], uuid[]);
-- DELETE FROM conversation_schema WHERE version = 20261129500000;
