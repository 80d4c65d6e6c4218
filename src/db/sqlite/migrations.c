/* Migrations as embedded from sql/sqlite/. Each is one transaction under the writers' lock, so that
 * many may call at once: one applies, the others find it done. Writes no table but
 * conversation_schema by itself. */
#include "db/sqlite/migrations.h"

#include "core/error.h"
#include "db/sqlite/query.h"

#define ACTION_READ    "read schema"
#define ACTION_MIGRATE "migrate schema"

enum { LOOK_FOR_TABLES, SELECT_APPLIED, SET_CHECKSUM };

static const conv__sqlite_statement statements[] = {
    [LOOK_FOR_TABLES] = {"SELECT count(*), count(CASE WHEN type = 'table' AND"
                         " name = 'conversation_schema' THEN 1 END) FROM sqlite_schema"},
    [SELECT_APPLIED] = {"SELECT version, name, checksum FROM conversation_schema ORDER BY version"},
    [SET_CHECKSUM] = {"UPDATE conversation_schema SET checksum = ? WHERE version = ?"},
};

/* What the file has, beside what we know. */
typedef struct survey {
    int64_t version;                /* the newest that is applied; 0 for an empty file */
    const conv__migration *known;   /* walks along while the applied ones are read */
    const conv__migration *missing; /* the first that is not applied, or NULL */
    const conv__migration *bare;    /* one that is applied but has no checksum, or NULL */
    const conv__migration *changed; /* one that was applied in another form, or NULL */
    conv_error unknown;             /* says which one is applied that we don't know */
    bool foreign;                   /* there is something, but not our table */
} survey;

static int64_t newest_version(const conv__migration *migrations)
{
    int64_t newest = 0;
    for (; migrations->version != 0; migrations++)
        if (migrations->version > newest) newest = migrations->version;
    return newest;
}

/* Both come in the order of their versions. */
static void compare(survey *found, int64_t version, conv_bytes name, conv_bytes checksum)
{
    found->version = version;
    for (; found->known->version != 0 && found->known->version < version; found->known++)
        if (found->missing == NULL) found->missing = found->known;
    if (found->known->version != version) {
        conv__fail(&found->unknown, CONV_STATE, ACTION_MIGRATE,
                   "the store has migration %lld_%.*s, which this library does not know: "
                   "use a newer library",
                   (long long)version, (int)name.size, name.data);
        return;
    }
    if (checksum.data == NULL)
        found->bare = found->known;
    else if (!conv_bytes_equal(checksum, conv_text(found->known->checksum)))
        found->changed = found->known;
    found->known++;
}

static conv_status look(conv__sqlite *connection, const conv__migration *migrations,
                        const char *action, survey *found, conv_error *error)
{
    *found = (survey){.known = migrations};
    conv__sqlite_query query;
    conv__sqlite_prepare(&query, connection, &statements[LOOK_FOR_TABLES], action);
    bool answered = conv__sqlite_step(&query);
    bool exists = answered && conv__sqlite_integer(&query, 1) > 0;
    found->foreign = answered && !exists && conv__sqlite_integer(&query, 0) > 0;
    conv_status status = conv__sqlite_finish(&query, error);
    if (status == CONV_OK && exists) {
        conv__sqlite_prepare(&query, connection, &statements[SELECT_APPLIED], action);
        while (conv__sqlite_step(&query))
            compare(found, conv__sqlite_integer(&query, 0), conv__sqlite_bytes(&query, 1),
                    conv__sqlite_bytes(&query, 2));
        status = conv__sqlite_finish(&query, error);
    }
    if (found->missing == NULL && found->known->version != 0) found->missing = found->known;
    if (status != CONV_OK || found->changed == NULL) return status;
    return conv__fail(error, CONV_STATE, ACTION_READ,
                      "migration %lld_%s was applied in another form than this library's; use the "
                      "version of the library that made the schema",
                      (long long)found->changed->version, found->changed->name);
}

conv_status conv__sqlite_read_schema(conv__sqlite *connection, const conv__migration *migrations,
                                     int64_t deadline_ns, conv_schema_state *state,
                                     conv_error *error)
{
    survey found;
    *state = (conv_schema_state){.wanted = newest_version(migrations)};
    conv_status status = conv__sqlite_begin(connection, CONV__SQLITE_READ, deadline_ns, error);
    if (status != CONV_OK) return status;
    status = look(connection, migrations, ACTION_READ, &found, error);
    conv__sqlite_rollback(connection);
    if (status != CONV_OK) return status;
    state->version = found.version;
    state->foreign = found.foreign;
    if (found.version <= state->wanted || found.missing == NULL) return CONV_OK;
    return conv__fail(error, CONV_STATE, ACTION_READ,
                      "there is migration %lld, which this library does not know, and not %lld_%s, "
                      "which comes before",
                      (long long)found.version, (long long)found.missing->version,
                      found.missing->name);
}

static conv_status set_checksum(conv__sqlite *connection, const conv__migration *migration,
                                conv_error *error)
{
    int64_t changes = 0;
    conv__sqlite_query query;
    conv__sqlite_prepare(&query, connection, &statements[SET_CHECKSUM], ACTION_MIGRATE);
    conv__sqlite_bind_text(&query, conv_text(migration->checksum));
    conv__sqlite_bind_integer(&query, migration->version);
    conv_status status = conv__sqlite_execute(&query, &changes, error);
    if (status != CONV_OK || changes == 1) return status;
    return conv__fail(error, CONV_INTERNAL, ACTION_MIGRATE,
                      "migration %lld_%s does not record its version",
                      (long long)migration->version, migration->name);
}

/* One step towards the wanted version inside a transaction; `done` if there was none to take. */
static conv_status take_step(conv__sqlite *connection, const conv__migration *migrations,
                             conv_schema_state *state, bool *done, conv_error *error)
{
    survey found;
    conv_status status = look(connection, migrations, ACTION_MIGRATE, &found, error);
    if (status != CONV_OK) return status;
    state->version = found.version;
    if (found.unknown.status != CONV_OK) {
        if (error != NULL) *error = found.unknown;
        return found.unknown.status;
    }
    if (found.bare != NULL) return set_checksum(connection, found.bare, error);
    *done = found.missing == NULL;
    if (*done) return CONV_OK;
    status = conv__sqlite_run_script(connection, found.missing->sql, ACTION_MIGRATE, error);
    if (status == CONV_OK) status = set_checksum(connection, found.missing, error);
    if (status == CONV_OK) state->applied++;
    return status;
}

conv_status conv__sqlite_migrate(conv__sqlite *connection, const conv__migration *migrations,
                                 int64_t deadline_ns, conv_schema_state *state, conv_error *error)
{
    *state = (conv_schema_state){.wanted = newest_version(migrations)};
    /* All steps or none: a new file must not be left between two of them. */
    conv_status status = conv__sqlite_begin(connection, CONV__SQLITE_WRITE, deadline_ns, error);
    if (status != CONV_OK) return status;
    for (bool done = false; status == CONV_OK && !done;)
        status = take_step(connection, migrations, state, &done, error);
    if (status == CONV_OK) return conv__sqlite_commit(connection, error);
    conv__sqlite_rollback(connection);
    *state = (conv_schema_state){.wanted = state->wanted};
    return status;
}
