/* See memory_store.h. */
#include "fault/memory_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "db/migration.h"
#include "db/sqlite/log_repair.h"
#include "fault/sqlite_file.h"
#include "saving/spool.h"
#include "support/folder.h"

enum { SQL_SIZE = 512, VACUUM_EACH = 128 };

/* Rows go and come without the triggers that would note them anew. */
#define SETTINGS                                                                                   \
    "SET client_min_messages = error; SET session_replication_role = replica;"                     \
    " SET application_name = 'campaign'"
/* Waits for clients that are gone, for which the server may still commit; a pooler keeps what is
 * idle. Gives the next of the transactions that write: as long as it is the same, nobody has
 * written. A function, because it is asked often and planned once. */
#define MAKE_NEXT_WRITER                                                                           \
    "CREATE FUNCTION pg_temp.next_writer(pooled boolean) RETURNS bigint LANGUAGE plpgsql AS"       \
    " 'BEGIN LOOP PERFORM FROM pg_stat_get_activity(NULL) WHERE backend_type = ''client backend''" \
    " AND application_name <> ''campaign'' AND (NOT pooled OR state IS DISTINCT FROM ''idle'');"   \
    " EXIT WHEN NOT FOUND; PERFORM pg_stat_clear_snapshot(), pg_sleep(0.001); END LOOP;"           \
    " RETURN pg_snapshot_xmax(pg_current_snapshot()); END'"
#define EACH_TABLE                                                                                 \
    " FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <>"       \
    " 'conversation_schema' LOOP "
#define DELETE_ROWS                                                                                \
    "DO $$DECLARE t text; BEGIN DROP SCHEMA IF EXISTS kept CASCADE;" EACH_TABLE                    \
    " EXECUTE format('DELETE FROM public.%I', t); END LOOP; END$$"
/* What brings them back is a function, whose statements the server plans once as long as the schema
 * keeps its name. */
#define KEEP_ROWS                                                                                  \
    "DO $$DECLARE t text; work text := ''; rows bigint; BEGIN DROP SCHEMA IF EXISTS kept CASCADE;" \
    " CREATE SCHEMA kept;" EACH_TABLE " work := work || format('DELETE FROM public.%I;', t);"      \
    " EXECUTE format('CREATE TABLE kept.%1$I AS TABLE public.%1$I', t);"                           \
    " GET DIAGNOSTICS rows = ROW_COUNT; CONTINUE WHEN rows = 0;"                                   \
    " work := work || format('INSERT INTO public.%1$I OVERRIDING SYSTEM"                           \
    " VALUE SELECT * FROM kept.%1$I;', t); END LOOP; EXECUTE format('CREATE FUNCTION"              \
    " kept.restore() RETURNS void LANGUAGE plpgsql AS %L', 'BEGIN ' || work || 'END'); END$$"

static void die(const char *what, const char *why)
{
    fprintf(stderr, "memory: %s: %s\n", what, why);
    exit(99);
}

static void remove_files(const memory_store *self)
{
    char prefix[128];
    snprintf(prefix, sizeof prefix, "%s/", self->base);
    files_remove(prefix);
}

static void connect_to(memory_store *self)
{
    if (self->link != NULL) return;
    self->link = PQconnectdb(self->url);
    if (PQstatus(self->link) != CONNECTION_OK) die("connecting", PQerrorMessage(self->link));
    memory_store_execute(self, SETTINGS "; " MAKE_NEXT_WRITER);
}

void memory_store_disconnect(memory_store *self)
{
    PQfinish(self->link);
    self->link = NULL;
}

static void migrate(const memory_store *self, int number)
{
    char sql[SQL_SIZE];
    const conv__migration *one = &conv__migrations_postgres[number];
    memory_store_execute(self, one->sql);
    snprintf(sql, sizeof sql, "UPDATE conversation_schema SET checksum = '%s' WHERE version = %lld",
             one->checksum, (long long)one->version);
    memory_store_execute(self, sql);
}

void memory_store_migrate(memory_store *self)
{
    migrate(self, self->migrations++);
}

/* The catalogue would grow, and what looks at all of it get slower and slower. */
static void make_schema_anew(memory_store *self)
{
    char sql[SQL_SIZE];
    snprintf(sql, sizeof sql, "DROP SCHEMA IF EXISTS %1$s CASCADE; CREATE SCHEMA %1$s",
             self->schema);
    memory_store_execute(self, sql);
    for (int i = 0; i < self->migrations; i++)
        migrate(self, i);
    if (++self->made % VACUUM_EACH == 0) memory_store_execute(self, "VACUUM");
}

static long next_writer(const memory_store *self)
{
    return memory_store_number(self, self->pooled == NULL ? "SELECT pg_temp.next_writer(false)"
                                                          : "SELECT pg_temp.next_writer(true)");
}

void memory_store_clear(memory_store *self)
{
    remove_files(self);
    if (self->file != NULL) return;
    connect_to(self);
    if (self->schema != NULL)
        make_schema_anew(self);
    else
        memory_store_execute(self, DELETE_ROWS);
}

static char *read_whole(const char *path, size_t *size)
{
    struct stat status;
    FILE *file = fopen(path, "rbe");
    *size = 0;
    if (file == NULL) return NULL;
    if (fstat(fileno(file), &status) != 0) die(path, "can't be read");
    *size = (size_t)status.st_size;
    char *bytes = malloc(*size + 1);
    if (bytes == NULL || fread(bytes, 1, *size, file) != *size) die(path, "can't be read");
    fclose(file);
    return bytes;
}

void memory_store_keep(memory_store *self, const campaign *run)
{
    const char *paths[] = {run->journal, run->lines, self->file};
    for (int i = 0; i < 3; i++) {
        memory_file *file = &self->files[i];
        snprintf(file->path, sizeof file->path, "%s", paths[i] == NULL ? "" : paths[i]);
        file->bytes = read_whole(file->path, &file->size);
    }
    if (self->file != NULL) return;
    if (self->schema == NULL)
        memory_store_execute(self, KEEP_ROWS);
    else
        self->kept = memory_store_number(self, self->state);
    memory_store_execute(self, "VACUUM");
    self->written = next_writer(self);
}

/* A time that no write leaves. */
static const struct timespec as_restored[] = {{.tv_sec = 1}, {.tv_sec = 1}};

static bool is_as_restored(const memory_file *file)
{
    struct stat status;
    return file->bytes != NULL && stat(file->path, &status) == 0 &&
           status.st_mtim.tv_sec == as_restored[1].tv_sec;
}

static bool is_of_them_as_restored(const memory_store *self, const char *path)
{
    for (int i = 0; i < 3; i++)
        if (strcmp(self->files[i].path, path) == 0) return is_as_restored(&self->files[i]);
    return false;
}

static void remove_others(const memory_store *self)
{
    DIR *folder = opendir(self->base);
    if (folder == NULL) die(self->base, "can't be read");
    for (const struct dirent *one = readdir(folder); one != NULL; one = readdir(folder)) {
        char path[sizeof self->files[0].path + sizeof one->d_name];
        snprintf(path, sizeof path, "%s/%s", self->base, one->d_name);
        if (one->d_name[0] != '.' && !is_of_them_as_restored(self, path)) unlink(path);
    }
    closedir(folder);
}

static void restore_files(const memory_store *self)
{
    remove_others(self);
    for (int i = 0; i < 3; i++) {
        const memory_file *one = &self->files[i];
        if (one->bytes == NULL || is_as_restored(one)) continue;
        FILE *file = fopen(one->path, "wbe");
        if (file == NULL || fwrite(one->bytes, 1, one->size, file) != one->size ||
            fclose(file) != 0 || utimensat(AT_FDCWD, one->path, as_restored, 0) != 0)
            die(one->path, "can't be written");
    }
}

/* What was written may have been rolled back, which a schema's state tells. */
static bool is_server_as_kept(memory_store *self)
{
    long written = next_writer(self);
    self->wrote = written != self->written;
    if (!self->wrote) return true;
    if (self->schema == NULL || memory_store_number(self, self->state) != self->kept) return false;
    self->written = written;
    return true;
}

void memory_store_restore(memory_store *self)
{
    restore_files(self);
    if (self->file != NULL || is_server_as_kept(self)) return;
    if (self->schema != NULL)
        make_schema_anew(self);
    else
        memory_store_execute(self, "SELECT kept.restore()");
    self->written = next_writer(self);
}

void memory_store_forget(memory_store *self)
{
    for (int i = 0; i < 3; i++) {
        free(self->files[i].bytes);
        self->files[i] = (memory_file){0};
    }
}

/* A log beside a file may hold what the file does not; SQLite also writes into it what it has no
 * memory for, which counts only with the commit behind it. */
static bool is_as_kept(const memory_file *file)
{
    if (conv__sqlite_log_has_transaction(file->path)) return false;
    if (is_as_restored(file)) return true;
    size_t size = 0;
    char *bytes = read_whole(file->path, &size);
    bool same = bytes == NULL ? file->bytes == NULL
                              : file->bytes != NULL && size == file->size &&
                                    memcmp(bytes, file->bytes, size) == 0;
    free(bytes);
    return same;
}

bool memory_store_has_same_journal(const memory_store *self)
{
    return is_as_kept(&self->files[0]);
}

static void add_file(const memory_store *self, const char *name, conv__sha256 *hash)
{
    char path[sizeof self->files[0].path + 256];
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s", self->base, name);
    bool restored = is_of_them_as_restored(self, path);
    char *bytes = restored ? NULL : read_whole(path, &size);
    if (bytes == NULL && !restored) die(path, "can't be read");
    conv__sha256_field(hash, conv_text(name));
    conv__sha256_field(hash, (conv_bytes){bytes, size});
    free(bytes);
}

bool memory_store_left(memory_store *self, memory_left *left)
{
    struct dirent **names = NULL;
    if (!is_as_kept(&self->files[1]) || (self->file == NULL && !is_server_as_kept(self)))
        return false;
    conv__sha256 *hash = conv__sha256_create();
    int count = scandir(self->base, &names, NULL, alphasort);
    if (hash == NULL || count < 0) die(self->base, "can't be read");
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.') add_file(self, names[i]->d_name, hash);
        free(names[i]);
    }
    free(names);
    if (conv__sha256_finish(hash, left->digest) != CONV_OK) die(self->base, "has no digest");
    return true;
}

/* To look would bring a log into its file, which is left to a next client: copies are looked at.
 * Without the file there is no telling. */
static long count_entries(const memory_store *self)
{
    static const char sql[] = "SELECT count(*) FROM journal";
    const char *journal = self->files[0].path;
    char copy[sizeof self->files[0].path];
    if (!sqlite_file_has_log(journal)) return sqlite_file_number(journal, sql);
    if (access(journal, F_OK) != 0) return 1;
    snprintf(copy, sizeof copy, "%s/look", self->base);
    if (!files_copy(journal, copy)) die(journal, "can't be copied");
    long count = sqlite_file_number(copy, sql);
    files_remove(copy);
    return count;
}

bool memory_store_has_drained(const memory_store *self)
{
    const char *journal = self->files[0].path;
    for (int i = 1; i <= CONV__SPOOLS; i++) {
        char spool[sizeof self->files[0].path + 32];
        struct stat status;
        snprintf(spool, sizeof spool, "%s-usage-%d", journal, i);
        if (stat(spool, &status) == 0 && status.st_size > 0) return false;
    }
    return count_entries(self) == 0;
}

bool memory_store_is_untouched(memory_store *self)
{
    for (int i = 0; i < 3; i++)
        if (!is_as_kept(&self->files[i])) return false;
    return self->file != NULL || is_server_as_kept(self);
}

static PGresult *ask_server(const memory_store *self, const char *sql)
{
    PGresult *result = PQexec(self->link, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        die(sql, PQerrorMessage(self->link));
    return result;
}

long memory_store_number(const memory_store *self, const char *sql)
{
    if (self->file != NULL) return sqlite_file_number(self->file, sql);
    PGresult *row = ask_server(self, sql);
    if (PQntuples(row) == 0) die(sql, "no row");
    long value = strtol(PQgetvalue(row, 0, 0), NULL, 10);
    PQclear(row);
    return value;
}

void memory_store_execute(const memory_store *self, const char *sql)
{
    if (self->file == NULL) {
        PQclear(ask_server(self, sql));
        return;
    }
    sqlite3 *database = sqlite_file_open(self->file);
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(database));
    sqlite3_close(database);
}

void memory_store_take_away(memory_store *self)
{
    if (self->file == NULL) {
        memory_store_execute(self, "ALTER SCHEMA public RENAME TO away");
        return;
    }
    self->lock = sqlite_file_open(self->file);
    if (sqlite3_exec(self->lock, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        die("locking", sqlite3_errmsg(self->lock));
}

void memory_store_put_back(memory_store *self)
{
    if (self->file == NULL) {
        memory_store_execute(self, "ALTER SCHEMA away RENAME TO public");
        return;
    }
    sqlite3_close(self->lock);
    self->lock = NULL;
}
