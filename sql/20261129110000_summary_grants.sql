-- migrate:up
--
-- Whoever might read daily_usage_summary before it became a plain view may do so again.

DO $$
DECLARE
    given record;
BEGIN
    FOR given IN SELECT * FROM summary_grants LOOP
        EXECUTE format('GRANT %s%s ON daily_usage_summary TO %s%s', given.privilege_type,
                       CASE WHEN given."column" IS NOT NULL THEN format(' (%I)', given."column") END,
                       CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END,
                       CASE WHEN given.is_grantable THEN ' WITH GRANT OPTION' END);
    END LOOP;
END $$;

DROP TABLE summary_grants;

INSERT INTO conversation_schema (version, name)
VALUES (20261129110000, 'summary_grants');

-- migrate:down
-- DELETE FROM conversation_schema WHERE version = 20261129110000;
