/* See checker_sqlite.h. It must not use the library's way to the store. */
#include "fault/checker_sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault/witness.h"

enum { FEW_LINES = 100 };

/* A store as it is judged; what is asked for each line is prepared once. */
typedef struct judging {
    sqlite3 *database;
    sqlite3_stmt *text;
    sqlite3_stmt *record;
    checker_findings findings;
} judging;

static void die(sqlite3 *database, const char *what)
{
    fprintf(stderr, "checker: %s: %s\n", what, sqlite3_errmsg(database));
    exit(99);
}

static sqlite3 *open_file(const char *path)
{
    sqlite3 *database = NULL;
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        die(database, path);
    sqlite3_busy_timeout(database, 10000);
    return database;
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) die(database, sql);
    return statement;
}

static long number(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *statement = prepare(database, sql);
    if (sqlite3_step(statement) != SQLITE_ROW) die(database, sql);
    long value = (long)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static bool finds(sqlite3_stmt *statement, const char *value)
{
    sqlite3_bind_text(statement, 1, value, -1, SQLITE_STATIC);
    int found = sqlite3_step(statement);
    if (found != SQLITE_ROW && found != SQLITE_DONE)
        die(sqlite3_db_handle(statement), sqlite3_sql(statement));
    sqlite3_reset(statement);
    return found == SQLITE_ROW;
}

/* Texts are long enough to be unique, so a text found is the turn found. */
static bool has_text(const judging *self, const fault_turn *turn, bool reply)
{
    char *text = fault_text(turn, reply);
    bool there = finds(self->text, text);
    free(text);
    return there;
}

static bool has_record(const judging *self, const fault_turn *turn)
{
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(fault_log_id(turn), id);
    return finds(self->record, id);
}

static void check_line(judging *self, const witness_line *line)
{
    checker_findings *findings = &self->findings;
    bool acknowledged = line->answer == WITNESS_COMMITTED || line->answer == WITNESS_JOURNALED;
    if (line->late_ms > 0) {
        fprintf(stderr, "violation: %s ended %lld ms after its limit and a second\n",
                witness_call_name(line), (long long)line->late_ms);
        findings->late++;
    }
    if (!witness_has_turn(line)) return;
    if (line->answer == WITNESS_ATTEMPT) findings->calls++;
    if (!acknowledged) return;
    /* A flush acknowledges once more what tracking put on the disk. */
    if (line->call != WITNESS_TRACK || line->answer == WITNESS_JOURNALED) findings->acknowledged++;
    findings->journaled += line->answer == WITNESS_JOURNALED;
    bool stored = line->call == WITNESS_TRACK
                      ? has_record(self, &line->turn)
                      : has_text(self, &line->turn, false) && has_text(self, &line->turn, true);
    if (stored) return;
    fprintf(stderr, "violation: turn %lu of session %lu is lost\n", (unsigned long)line->turn.turn,
            (unsigned long)line->turn.session);
    findings->lost++;
}

static void check_lines(judging *self, const char *lines)
{
    size_t count = 0;
    witness_line *all = witness_read(lines, &count);
    if (count > FEW_LINES)
        sqlite3_exec(self->database,
                     "PRAGMA mmap_size = 4000000000;"
                     " CREATE INDEX IF NOT EXISTS fault_content ON chat_messages (content)",
                     NULL, NULL, NULL);
    self->text = prepare(self->database, "SELECT 1 FROM chat_messages WHERE content = ?1");
    self->record = prepare(self->database, "SELECT 1 FROM usage_logs WHERE log_id = ?1");
    for (size_t i = 0; i < count; i++)
        check_line(self, &all[i]);
    sqlite3_finalize(self->text);
    sqlite3_finalize(self->record);
    free(all);
}

static void check_tables(sqlite3 *database, checker_findings *findings)
{
    findings->stored = number(database, "SELECT count(*) FROM chat_exchanges");
    findings->doubled =
        number(database, "SELECT count(content) - count(DISTINCT content) FROM chat_messages") +
        number(database, "SELECT count(*) - count(DISTINCT operation) FROM usage_logs"
                         " WHERE operation <> 'chat'");
    findings->half =
        number(database, "SELECT count(*) FROM chat_exchanges e WHERE NOT EXISTS (SELECT 1 FROM"
                         " usage_logs u WHERE u.log_id = e.log_id)") +
        number(database, "SELECT count(*) FROM usage_logs WHERE operation = 'chat' AND log_id"
                         " NOT IN (SELECT log_id FROM chat_exchanges WHERE log_id IS NOT NULL)") +
        number(database, "SELECT count(*) FROM chat_exchanges e WHERE message_count <> 2 AND"
                         " status = 'complete'") +
        number(database, "SELECT count(*) FROM chat_sessions s WHERE message_count <> (SELECT"
                         " count(*) FROM chat_messages m WHERE m.session_id = s.session_id)"
                         " OR message_count <> (SELECT sum(e.message_count) FROM chat_exchanges e"
                         " WHERE e.session_id = s.session_id)");
    /* A failed attempt that was replaced leaves its positions unused; none is used twice. */
    findings->wrong =
        number(database, "SELECT count(*) FROM chat_sessions s WHERE last_position < (SELECT"
                         " max(position) FROM chat_messages m WHERE m.session_id = s.session_id)") +
        number(database, "SELECT count(*) - count(DISTINCT session_id || position)"
                         " FROM chat_messages");
}

static void check_journal(const char *path, checker_findings *findings)
{
    sqlite3 *database = open_file(path);
    findings->waiting =
        number(database, "SELECT count(*) FROM journal WHERE kind IN ('exchange', 'usage')");
    findings->dead = number(database, "SELECT count(*) FROM journal WHERE kind = 'dead'");
    findings->wrong += findings->waiting + findings->dead;
    sqlite3_close(database);
}

checker_findings checker_run_sqlite(const char *lines, const char *store, const char *journal)
{
    judging self = {.database = open_file(store)};
    check_lines(&self, lines);
    check_tables(self.database, &self.findings);
    sqlite3_exec(self.database, "DROP INDEX IF EXISTS fault_content", NULL, NULL, NULL);
    sqlite3_close(self.database);
    check_journal(journal, &self.findings);
    return self.findings;
}
