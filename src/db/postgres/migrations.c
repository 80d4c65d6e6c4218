/* Applying of migrations. It must not know what is in them, but for the table in which they note
 * themselves. */
#include "db/postgres/migrations.h"

#include <inttypes.h>
#include <string.h>

#include "core/error.h"
#include "db/postgres/pipeline.h"
#include "db/postgres/script.h"

#define ACTION "migrate schema"

enum { LOCK, EXISTS, READ, NOTE };

static const conv__statement statements[] = {
    /* The number is ours: "conv" in ASCII. */
    [LOCK] = {"conv_migrations_lock", ACTION, 0, true, "SELECT pg_advisory_xact_lock(1668247158)"},
    [EXISTS] = {"conv_migrations_exists", ACTION, 0, true,
                "SELECT to_regclass('conversation_schema') IS NOT NULL"},
    [READ] = {"conv_migrations_read", "read schema", 0, true,
              "SELECT version, checksum FROM conversation_schema ORDER BY version"},
    [NOTE] = {"conv_migrations_note", ACTION, 3, true,
              "INSERT INTO conversation_schema (version, name, checksum) "
              "VALUES ($1::int8, $2::text, $3::text) "
              "ON CONFLICT (version) DO UPDATE SET checksum = excluded.checksum"},
};

/* What is to be found out about the store. */
typedef struct findings {
    const conv__migration *migrations;
    const conv__migration *wanted; /* the one that is looked at, or NULL */
    bool noted;                    /* `wanted` was applied, and its checksum stands there */
    bool applied;                  /* `wanted` was applied */
    bool exists;                   /* the table */
    size_t unsigned_count;         /* applied ones of ours without a checksum */
    int64_t version;
} findings;

static conv_status receive_exists(void *context, const conv__result *result, conv_error *error)
{
    findings *found = context;
    (void)error;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    found->exists = conv__next_bool(&reader);
    return reader.status;
}

static const conv__migration *find(const conv__migration *migrations, int64_t version)
{
    for (; migrations->version != 0; migrations++)
        if (migrations->version == version) return migrations;
    return NULL;
}

static conv_status receive_versions(void *context, const conv__result *result, conv_error *error)
{
    findings *found = context;
    conv__arena arena = {NULL};
    conv_status status = CONV_OK;
    found->version = 0;
    found->unsigned_count = 0;
    found->applied = found->noted = false;
    for (size_t row = 0; status == CONV_OK && row < conv__result_rows(result); row++) {
        conv__reader reader = conv__reader_at(result, row, &arena);
        found->version = conv__next_int8(&reader);
        conv_bytes checksum = conv__next_bytes(&reader);
        const conv__migration *ours = find(found->migrations, found->version);
        if (reader.status != CONV_OK) {
            status = conv__fail(error, reader.status, "read schema",
                                "the table conversation_schema holds something else");
        } else if (ours != NULL && checksum.data != NULL &&
                   !conv_bytes_equal(checksum, conv_text(ours->checksum))) {
            status = conv__fail(error, CONV_STATE, "read schema",
                                "migration %" PRId64 "_%s was applied in another form than this "
                                "library's; use the version of the library that made the schema",
                                ours->version, ours->name);
        } else if (ours != NULL) {
            if (checksum.data == NULL) found->unsigned_count++;
            if (ours == found->wanted) {
                found->applied = true;
                found->noted = checksum.data != NULL;
            }
        }
    }
    conv__arena_reset(&arena);
    return status;
}

static conv_status run(conv__connection *connection, conv__operation *first, conv__bracket bracket,
                       int64_t deadline_ns, conv_error *error)
{
    return conv__pipeline_run(connection, first, bracket, ACTION, deadline_ns, error);
}

static conv_status read_versions(conv__connection *connection, findings *found, int64_t deadline_ns,
                                 conv_error *error)
{
    conv__operation read = {
        .statement = &statements[READ], .receive = receive_versions, .context = found};
    conv__bracket alone = {CONV__BEGIN_NOT, false};
    return run(connection, &read, alone, deadline_ns, error);
}

static int64_t newest(const conv__migration *migrations)
{
    int64_t version = 0;
    for (; migrations->version != 0; migrations++)
        version = migrations->version;
    return version;
}

/* `found` says what is there, whether or not the table is. */
static conv_status look(conv__connection *connection, findings *found, int64_t deadline_ns,
                        conv_error *error)
{
    conv_error failure = CONV_ERROR_INIT;
    conv_status status = read_versions(connection, found, deadline_ns, &failure);
    if (status == CONV_OK) return CONV_OK;
    if (strcmp(failure.sqlstate, "42P01") == 0) return CONV_OK;
    if (error != NULL) *error = failure;
    return status;
}

conv_status conv__migrations_read(conv__connection *connection, const conv__migration *migrations,
                                  int64_t deadline_ns, conv_schema_state *state, conv_error *error)
{
    findings found = {.migrations = migrations};
    *state = (conv_schema_state){.wanted = newest(migrations)};
    conv_status status = look(connection, &found, deadline_ns, error);
    state->version = found.version;
    return status;
}

static conv_status run_file(conv__connection *connection, const conv__migration *migration,
                            int64_t deadline_ns, conv_error *error)
{
    conv_error failure = CONV_ERROR_INIT;
    conv_status status =
        conv__script_run(connection, migration->sql, ACTION, deadline_ns, &failure);
    if (status == CONV_OK) return CONV_OK;
    if (strcmp(failure.sqlstate, "42P07") == 0)
        return conv__fail(error, CONV_STATE, ACTION,
                          "%s, but there is no table conversation_schema: these tables are "
                          "somebody else's; use another database, or another schema by search_path",
                          failure.message);
    if (error != NULL) *error = failure;
    return status;
}

static conv_status note(conv__connection *connection, const conv__migration *migration,
                        int64_t deadline_ns, conv_error *error)
{
    conv__operation write = {.statement = &statements[NOTE]};
    conv__bracket end = {CONV__BEGIN_NOT, true};
    conv__parameter_int8(&write.parameters, migration->version);
    conv__parameter_bytes(&write.parameters, conv_text(migration->name));
    conv__parameter_bytes(&write.parameters, conv_text(migration->checksum));
    conv_status status = write.parameters.data.failed
                             ? conv__fail_memory(error, ACTION)
                             : run(connection, &write, end, deadline_ns, error);
    conv__parameters_free(&write.parameters);
    return status;
}

/* With the lock held: another process may have applied it since. `found->wanted` says which. */
static conv_status apply_locked(conv__connection *connection, findings *found, int64_t deadline_ns,
                                int *applied, conv_error *error)
{
    const conv__migration *migration = found->wanted;
    conv_status status = CONV_OK;
    found->applied = found->noted = false;
    if (found->exists) status = read_versions(connection, found, deadline_ns, error);
    if (status != CONV_OK || found->noted) return status;
    bool missing = !found->applied;
    if (missing) status = run_file(connection, migration, deadline_ns, error);
    if (status == CONV_OK) status = note(connection, migration, deadline_ns, error);
    if (status == CONV_OK && missing) (*applied)++;
    return status;
}

static conv_status apply_one(conv__connection *connection, const conv__migration *migrations,
                             const conv__migration *migration, int64_t deadline_ns, int *applied,
                             conv_error *error)
{
    findings found = {.migrations = migrations, .wanted = migration};
    conv__operation exists = {
        .statement = &statements[EXISTS], .receive = receive_exists, .context = &found};
    conv__operation lock = {.next = &exists, .statement = &statements[LOCK]};
    conv__bracket begin = {CONV__BEGIN_WRITE, false};
    conv_status status = run(connection, &lock, begin, deadline_ns, error);
    if (status != CONV_OK) return status;
    status = apply_locked(connection, &found, deadline_ns, applied, error);
    if (!conv__connection_is_broken(connection)) conv__pipeline_rollback(connection);
    return status;
}

conv_status conv__migrations_apply(conv__connection *connection, const conv__migration *migrations,
                                   int64_t deadline_ns, conv_schema_state *state, conv_error *error)
{
    findings found = {.migrations = migrations};
    *state = (conv_schema_state){.wanted = newest(migrations)};
    conv_status status = look(connection, &found, deadline_ns, error);
    if (status != CONV_OK) return status;
    state->version = found.version;
    if (found.version > state->wanted)
        return conv__fail(error, CONV_STATE, ACTION,
                          "the schema is version %" PRId64 ", newer than this library's %" PRId64
                          "; use a newer library",
                          found.version, state->wanted);
    if (found.version == state->wanted && found.unsigned_count == 0) return CONV_OK;
    for (const conv__migration *one = migrations; one->version != 0; one++) {
        status = apply_one(connection, migrations, one, deadline_ns, &state->applied, error);
        if (status != CONV_OK) return status;
        if (one->version > state->version) state->version = one->version;
    }
    return CONV_OK;
}
