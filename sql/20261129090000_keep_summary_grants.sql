-- migrate:up
--
-- The next migration makes daily_usage_summary anew, as a plain view. Who may read it is kept until then.
-- What stands on it has to be dropped by hand, for nobody knows whether it fits the new one: it is named.

DO $$
DECLARE
    names text;
BEGIN
    SELECT string_agg(DISTINCT coalesce(c.oid::regclass::text,
                                        pg_describe_object(d.classid, d.objid, d.objsubid)), ', ')
    INTO names
    FROM pg_class v
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = v.oid AND d.deptype = 'n'
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_class c ON c.oid = r.ev_class
    WHERE v.oid = 'daily_usage_summary'::regclass AND v.relkind = 'm' AND c.oid IS DISTINCT FROM v.oid;
    IF names IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist', MESSAGE =
            'the materialized view daily_usage_summary becomes a plain view, but these stand on it: '
            || names || '; keep their definition, drop them, migrate, and make them again';
    END IF;
END $$;

CREATE TABLE summary_grants AS
SELECT NULL::name AS "column", a.grantee, a.privilege_type, a.is_grantable
FROM pg_class v, aclexplode(v.relacl) a
WHERE v.oid = 'daily_usage_summary'::regclass AND a.grantee <> v.relowner
UNION ALL
SELECT t.attname, a.grantee, a.privilege_type, a.is_grantable
FROM pg_attribute t, aclexplode(t.attacl) a
WHERE t.attrelid = 'daily_usage_summary'::regclass;

INSERT INTO conversation_schema (version, name)
VALUES (20261129090000, 'keep_summary_grants');

-- migrate:down
-- DROP TABLE IF EXISTS summary_grants;
-- DELETE FROM conversation_schema WHERE version = 20261129090000;
