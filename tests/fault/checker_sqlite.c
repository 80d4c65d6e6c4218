/* See checker_sqlite.h. It must not use the library's way to the store. */
#include "fault/checker_sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault/witness.h"

enum { FEW_LINES = 100 };

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

static long number(sqlite3 *database, const char *sql, const char *text)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) die(database, sql);
    if (text != NULL) sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_ROW) die(database, sql);
    long value = (long)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* Texts are long enough to be unique, so a text found is the turn found. */
static bool has_text(sqlite3 *database, const fault_turn *turn, bool reply)
{
    char *text = fault_text(turn, reply);
    bool there =
        number(database, "SELECT count(*) FROM chat_messages WHERE content = ?1", text) > 0;
    free(text);
    return there;
}

static bool has_record(sqlite3 *database, const fault_turn *turn)
{
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(fault_log_id(turn), id);
    return number(database, "SELECT count(*) FROM usage_logs WHERE log_id = ?1", id) > 0;
}

static void check_line(sqlite3 *database, const witness_line *line, checker_findings *findings)
{
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
    bool stored = line->call == WITNESS_TRACK ? has_record(database, &line->turn)
                                              : has_text(database, &line->turn, false) &&
                                                    has_text(database, &line->turn, true);
    if (stored) return;
    fprintf(stderr, "violation: turn %lu of session %lu is lost\n", (unsigned long)line->turn.turn,
            (unsigned long)line->turn.session);
    findings->lost++;
}

checker_findings checker_run_sqlite(const char *lines, const char *store, const char *journal)
{
    checker_findings findings = {0};
    size_t count = 0;
    witness_line *all = witness_read(lines, &count);
    sqlite3 *database = open_file(store);
    if (count > FEW_LINES)
        sqlite3_exec(database,
                     "CREATE INDEX IF NOT EXISTS fault_content ON chat_messages (content)", NULL,
                     NULL, NULL);
    for (size_t i = 0; i < count; i++)
        check_line(database, &all[i], &findings);
    findings.stored = number(database, "SELECT count(*) FROM chat_exchanges", NULL);
    findings.doubled =
        number(database, "SELECT count(content) - count(DISTINCT content) FROM chat_messages",
               NULL) +
        number(database,
               "SELECT count(*) - count(DISTINCT operation) FROM usage_logs"
               " WHERE operation <> 'chat'",
               NULL);
    findings.half = number(database,
                           "SELECT count(*) FROM chat_exchanges e WHERE NOT EXISTS (SELECT 1 FROM"
                           " usage_logs u WHERE u.log_id = e.log_id)",
                           NULL) +
                    number(database,
                           "SELECT count(*) FROM usage_logs u WHERE operation = 'chat' AND NOT"
                           " EXISTS (SELECT 1 FROM chat_exchanges e WHERE e.log_id = u.log_id)",
                           NULL) +
                    number(database,
                           "SELECT count(*) FROM chat_exchanges e WHERE message_count <> 2 AND"
                           " status = 'complete'",
                           NULL) +
                    number(database,
                           "SELECT count(*) FROM chat_sessions s WHERE message_count <> (SELECT"
                           " count(*) FROM chat_messages m WHERE m.session_id = s.session_id)"
                           " OR message_count <> (SELECT sum(e.message_count) FROM chat_exchanges e"
                           " WHERE e.session_id = s.session_id)",
                           NULL);
    /* A failed attempt that was replaced leaves its positions unused; none is used twice. */
    findings.wrong =
        number(database,
               "SELECT count(*) FROM chat_sessions s WHERE last_position < (SELECT"
               " max(position) FROM chat_messages m WHERE m.session_id = s.session_id)",
               NULL) +
        number(database,
               "SELECT count(*) - count(DISTINCT session_id || position)"
               " FROM chat_messages",
               NULL);
    sqlite3_exec(database, "DROP INDEX IF EXISTS fault_content", NULL, NULL, NULL);
    sqlite3_close(database);
    database = open_file(journal);
    findings.waiting =
        number(database, "SELECT count(*) FROM journal WHERE kind IN ('exchange', 'usage')", NULL);
    findings.dead = number(database, "SELECT count(*) FROM journal WHERE kind = 'dead'", NULL);
    findings.wrong += findings.waiting + findings.dead;
    sqlite3_close(database);
    free(all);
    return findings;
}
