/* See memory_store.h. */
#include "fault/memory_store.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault/server.h"

enum { SQL_SIZE = 512 };

#define QUIETLY "SET client_min_messages = error;"

/* Rows go and come without the triggers that would note them anew. */
#define KEEP_ROWS                                                                                  \
    "DO $$DECLARE t text; BEGIN DROP SCHEMA IF EXISTS kept CASCADE; CREATE SCHEMA kept;"           \
    " FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <>"       \
    " 'conversation_schema' LOOP EXECUTE format('CREATE TABLE kept.%1$I AS TABLE public.%1$I',"    \
    " t); END LOOP; END$$"
#define RESTORE_ROWS                                                                               \
    QUIETLY                                                                                        \
    "SET session_replication_role = replica; DO $$DECLARE t"                                       \
    " text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND"        \
    " tablename <> 'conversation_schema' LOOP EXECUTE format('DELETE FROM public.%1$I', t); "      \
    "IF"                                                                                           \
    " to_regclass('kept.' || t) IS NOT NULL THEN EXECUTE format('INSERT INTO public.%1$I"          \
    " OVERRIDING SYSTEM VALUE SELECT * FROM kept.%1$I', t); END IF; END LOOP; END$$"

static void die(const char *what, const char *why)
{
    fprintf(stderr, "memory: %s: %s\n", what, why);
    exit(99);
}

void memory_store_name(campaign *run, char base[MEMORY_PATH_SIZE])
{
    int size = snprintf(base, MEMORY_PATH_SIZE, "%s/conversation-memory-%d",
                        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : run->folder, (int)getpid());
    if (size < 0 || size >= MEMORY_PATH_SIZE - 20) die("naming files", "the name is too long");
    if (mkdir(base, 0700) != 0) die(base, "can't be made");
    snprintf(run->journal, sizeof run->journal, "%.64s/journal", base);
    snprintf(run->lines, sizeof run->lines, "%.64s/lines", base);
}

static void remove_files(const memory_store *self)
{
    char pattern[192];
    glob_t files = {0};
    snprintf(pattern, sizeof pattern, "%s/*", self->base);
    if (glob(pattern, GLOB_NOSORT, NULL, &files) == 0)
        for (size_t i = 0; i < files.gl_pathc; i++)
            unlink(files.gl_pathv[i]);
    globfree(&files);
}

static void make_schema_anew(const memory_store *self)
{
    char sql[SQL_SIZE];
    snprintf(sql, sizeof sql,
             QUIETLY "DROP SCHEMA IF EXISTS %1$s CASCADE;"
                     " CREATE SCHEMA %1$s",
             self->schema);
    memory_store_execute(self, sql);
}

void memory_store_clear(memory_store *self)
{
    remove_files(self);
    if (self->file != NULL) return;
    if (self->schema != NULL)
        make_schema_anew(self);
    else
        memory_store_execute(self, QUIETLY "DROP SCHEMA IF EXISTS kept CASCADE;" RESTORE_ROWS);
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
    if (self->file != NULL || self->schema != NULL) return;
    memory_store_execute(self, QUIETLY KEEP_ROWS);
    memory_store_execute(self, "VACUUM");
}

void memory_store_restore(memory_store *self)
{
    remove_files(self);
    for (int i = 0; i < 3; i++) {
        const memory_file *one = &self->files[i];
        if (one->bytes == NULL) continue;
        FILE *file = fopen(one->path, "wbe");
        if (file == NULL || fwrite(one->bytes, 1, one->size, file) != one->size ||
            fclose(file) != 0)
            die(one->path, "can't be written");
    }
    if (self->file != NULL) return;
    if (self->schema != NULL)
        make_schema_anew(self);
    else
        memory_store_execute(self, RESTORE_ROWS);
}

void memory_store_forget(memory_store *self)
{
    for (int i = 0; i < 3; i++) {
        free(self->files[i].bytes);
        self->files[i] = (memory_file){0};
    }
}

static bool is_as_kept(const memory_file *file)
{
    size_t size = 0;
    char *bytes = read_whole(file->path, &size);
    bool same = bytes == NULL ? file->bytes == NULL
                              : file->bytes != NULL && size == file->size &&
                                    memcmp(bytes, file->bytes, size) == 0;
    free(bytes);
    return same;
}

/* A log beside a file may hold what the file does not. */
static bool has_log(const char *path)
{
    char log[160];
    struct stat status;
    snprintf(log, sizeof log, "%s-wal", path);
    return stat(log, &status) == 0 && status.st_size > 0;
}

bool memory_store_has_same_journal(const memory_store *self)
{
    return !has_log(self->files[0].path) && is_as_kept(&self->files[0]);
}

bool memory_store_is_untouched(const memory_store *self)
{
    if (self->file == NULL) return false;
    for (int i = 0; i < 3; i++)
        if (has_log(self->files[i].path) || !is_as_kept(&self->files[i])) return false;
    return true;
}

static sqlite3 *open_file(const char *path)
{
    sqlite3 *database = NULL;
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        die(path, sqlite3_errmsg(database));
    sqlite3_busy_timeout(database, 10000);
    return database;
}

long memory_file_number(const char *path, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (access(path, F_OK) != 0) return 0;
    sqlite3 *database = open_file(path);
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        die(sql, sqlite3_errmsg(database));
    long value = (long)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return value;
}

long memory_store_number(const memory_store *self, const char *sql)
{
    if (self->file != NULL) return memory_file_number(self->file, sql);
    long value = server_number(self->url, sql);
    if (value < 0) die(sql, "failed");
    return value;
}

void memory_store_execute(const memory_store *self, const char *sql)
{
    if (self->file == NULL) {
        if (!server_execute(self->url, sql)) die(sql, "failed");
        return;
    }
    sqlite3 *database = open_file(self->file);
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(database));
    sqlite3_close(database);
}

void memory_store_take_away(memory_store *self)
{
    if (self->file == NULL) {
        memory_store_execute(self, "ALTER TABLE chat_exchanges RENAME TO away;"
                                   " ALTER TABLE usage_logs RENAME TO usage_away");
        return;
    }
    self->lock = open_file(self->file);
    if (sqlite3_exec(self->lock, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        die("locking", sqlite3_errmsg(self->lock));
}

void memory_store_put_back(memory_store *self)
{
    if (self->file == NULL) {
        memory_store_execute(self, "ALTER TABLE away RENAME TO chat_exchanges;"
                                   " ALTER TABLE usage_away RENAME TO usage_logs");
        return;
    }
    sqlite3_close(self->lock);
    self->lock = NULL;
}
