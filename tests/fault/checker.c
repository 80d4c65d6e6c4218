/* See checker.h: the witness's lines, the journals, and what follows. The store is
 * checker_store.c's. It must not use the library's own way to either: that is what is judged. */
#include "fault/checker.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault/checker_internal.h"
#include "fault/sqlite_file.h"

enum { SAID_AT_MOST = 20 };

void checker_die(const char *what, const char *why)
{
    fprintf(stderr, "checker: %s: %s\n", what, why);
    exit(99);
}

void checker_violation(check *self, long *counter, const char *format, ...)
{
    va_list arguments;
    (*counter)++;
    if (self->said++ >= SAID_AT_MOST) return;
    fputs("violation: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static int compare_keys(const fault_turn *a, bool a_tracked, const fault_turn *b, bool b_tracked)
{
    if (a_tracked != b_tracked) return a_tracked ? 1 : -1;
    if (a->session != b->session) return a->session < b->session ? -1 : 1;
    if (a->turn != b->turn) return a->turn < b->turn ? -1 : 1;
    if (a->variant != b->variant) return a->variant < b->variant ? -1 : 1;
    return 0;
}

static bool is_tracked(const witness_line *line)
{
    return line->call == WITNESS_TRACK;
}

static int compare_lines(const void *left, const void *right)
{
    const witness_line *a = left;
    const witness_line *b = right;
    int order = compare_keys(&a->turn, is_tracked(a), &b->turn, is_tracked(b));
    return order != 0 ? order : (a->time_ns > b->time_ns) - (a->time_ns < b->time_ns);
}

static int compare_known(const void *left, const void *right)
{
    const known *a = left;
    const known *b = right;
    return compare_keys(&a->turn, a->tracked, &b->turn, b->tracked);
}

known *checker_find(check *self, const fault_turn *turn, bool tracked)
{
    known key = {.turn = *turn, .tracked = tracked};
    return bsearch(&key, self->all, self->count, sizeof *self->all, compare_known);
}

static void take_answer(known *one, const witness_line *line)
{
    one->answers++;
    if (line->status == CONV_CONFLICT) one->conflicts++;
    if (line->answer == WITNESS_REFUSED) return;
    one->possible = true;
    if (line->answer != WITNESS_COMMITTED && line->answer != WITNESS_JOURNALED) return;
    one->journaled = one->journaled || line->answer == WITNESS_JOURNALED;
    if (!one->acknowledged) one->first_acknowledged_ns = line->time_ns;
    one->acknowledged = true;
}

static void judge_time(check *self, const witness_line *line)
{
    char of[80] = "";
    if (line->late_ms <= 0) return;
    if (witness_has_turn(line))
        snprintf(of, sizeof of, " turn %" PRIu64 " of session %" PRIu64, line->turn.turn,
                 line->turn.session);
    checker_violation(self, &self->findings.late,
                      "%s%s ended with status %s %lld ms after its limit and a second",
                      witness_call_name(line), of, conv_status_name((conv_status)line->status),
                      (long long)line->late_ms);
}

/* Judges the time of all and keeps those that save or track; gives how many. */
static size_t judge_times(check *self, witness_line *lines, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        judge_time(self, &lines[i]);
        if (witness_has_turn(&lines[i])) lines[kept++] = lines[i];
    }
    return kept;
}

static void take_line(check *self, known *one, const witness_line *line)
{
    if (line->answer == WITNESS_ASKED) {
        one->asked = true;
        return;
    }
    if (line->answer != WITNESS_ATTEMPT) {
        take_answer(one, line);
        return;
    }
    self->findings.calls++;
    if (one->attempts++ == 0) one->first_attempt_ns = line->time_ns;
}

static void read_lines(check *self)
{
    size_t count = 0;
    witness_line *lines = witness_read(self->params->lines, &count);
    count = judge_times(self, lines, count);
    self->all = calloc(count + 1, sizeof *self->all);
    if (self->all == NULL) checker_die("reading lines", "no memory");
    qsort(lines, count, sizeof *lines, compare_lines);
    known *one = NULL;
    for (size_t i = 0; i < count; i++) {
        bool tracked = is_tracked(&lines[i]);
        if (one == NULL || compare_keys(&one->turn, one->tracked, &lines[i].turn, tracked) != 0) {
            one = &self->all[self->count++];
            one->turn = lines[i].turn;
            one->tracked = tracked;
        }
        take_line(self, one, &lines[i]);
    }
    free(lines);
    /* An attempt without an answer: its process died. */
    for (size_t i = 0; i < self->count; i++)
        if (self->all[i].attempts > self->all[i].answers) self->all[i].possible = true;
}

static sqlite3 *open_journal(const char *path)
{
    sqlite3 *journal = sqlite_file_read(path);
    /* A journal whose process was killed is left as it is: to recover it is the library's. */
    sqlite3_db_config(journal, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    return journal;
}

static sqlite3_stmt *prepare(sqlite3 *journal, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(journal, sql, -1, &statement, NULL) != SQLITE_OK)
        checker_die(sql, sqlite3_errmsg(journal));
    return statement;
}

static void count_entries(check *self, const char *path)
{
    sqlite3 *journal = open_journal(path);
    sqlite3_stmt *rows = prepare(journal, "SELECT count(*) FILTER (WHERE kind <> 'dead'),"
                                          " count(*) FILTER (WHERE kind = 'dead') FROM journal"
                                          " WHERE kind <> 'turn'");
    if (sqlite3_step(rows) != SQLITE_ROW) checker_die(path, sqlite3_errmsg(journal));
    self->findings.waiting += (long)sqlite3_column_int64(rows, 0);
    self->findings.dead += (long)sqlite3_column_int64(rows, 1);
    sqlite3_finalize(rows);
    sqlite_file_leave(journal);
}

/* Whether a journal keeps it, waiting or as a dead letter; or, if `noted`, as a turn that was
 * noted.
 */
static bool has_entry(const known *one, const char *path, bool noted)
{
    char name[FAULT_ID_SIZE];
    char session[CONV_UUID_TEXT_SIZE];
    char item[CONV_UUID_TEXT_SIZE];
    fault_session_id(one->turn.session, name);
    conv_uuid_format(conv_uuid_ensure(conv_text(name)), session);
    fault_turn_id(one->turn.turn, name);
    conv_uuid_format(one->tracked ? fault_log_id(&one->turn) : conv_uuid_ensure(conv_text(name)),
                     item);
    sqlite3 *journal = open_journal(path);
    sqlite3_stmt *row = prepare(journal, "SELECT 1 FROM journal WHERE item_id = ?1"
                                         " AND session_id = ?2 AND (?3 OR kind <> 'turn')");
    sqlite3_bind_text(row, 1, item, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 2, session, -1, SQLITE_STATIC);
    sqlite3_bind_int(row, 3, noted);
    bool kept = sqlite3_step(row) == SQLITE_ROW;
    sqlite3_finalize(row);
    sqlite_file_leave(journal);
    return kept;
}

static bool is_kept(const check *self, const known *one, bool noted)
{
    for (size_t i = 0; i < self->params->journal_count; i++)
        if (has_entry(one, self->params->journals[i], noted)) return true;
    return false;
}

/* A turn is noted before the provider is asked, so its text outlives a process that dies in it. */
static bool is_text_lost(const check *self, const known *one)
{
    bool died = one->asked && one->answers == 0 && self->params->journal_count > 0;
    return died && one->stored == 0 && !is_kept(self, one, true);
}

/* An id is in conflict only with other content; `all` is sorted, so that stands beside it. */
static bool has_other_content(const check *self, const known *one)
{
    for (int side = -1; side <= 1; side += 2) {
        const known *other = one + side;
        if (other < self->all || other >= self->all + self->count) continue;
        if (other->tracked == one->tracked && other->turn.session == one->turn.session &&
            other->turn.turn == one->turn.turn)
            return true;
    }
    return false;
}

static void judge(check *self, const known *one)
{
    const checker_params *params = self->params;
    if (one->conflicts > 0 && !has_other_content(self, one))
        checker_violation(self, &self->findings.wrong,
                          "turn %" PRIu64 " of session %" PRIu64
                          " was called a conflict although nothing else has its id",
                          one->turn.turn, one->turn.session);
    if (is_text_lost(self, one))
        checker_violation(self, &self->findings.lost,
                          "turn %" PRIu64 " of session %" PRIu64
                          " was asked of the provider, and its text is nowhere",
                          one->turn.turn, one->turn.session);
    if (!one->acknowledged) return;
    self->findings.acknowledged++;
    if (one->journaled) self->findings.journaled++;
    if (one->journaled && !one->tracked) self->findings.journaled_exchanges++;
    if (one->stored > 0 || (one->tracked && !params->drained)) return;
    if (is_kept(self, one, false)) return;
    checker_violation(self, &self->findings.lost,
                      "turn %" PRIu64 " variant %u of session %" PRIu64
                      " was acknowledged and is nowhere",
                      one->turn.turn, one->turn.variant, one->turn.session);
}

checker_findings checker_run(const checker_params *params)
{
    check self = {.params = params};
    read_lines(&self);
    checker_read_store(&self);
    for (size_t i = 0; i < params->journal_count; i++)
        count_entries(&self, params->journals[i]);
    for (size_t i = 0; i < self.count; i++)
        judge(&self, &self.all[i]);
    if (params->drained && self.findings.waiting > 0)
        checker_violation(&self, &self.findings.wrong, "%ld entries still wait in a journal",
                          self.findings.waiting);
    if (self.findings.dead != params->dead) {
        checker_violation(&self, &self.findings.wrong, "%ld dead letters instead of %ld",
                          self.findings.dead, params->dead);
        self.findings.wrong += labs(self.findings.dead - params->dead) - 1;
    }
    free(self.all);
    return self.findings;
}

void checker_add(checker_findings *sum, const checker_findings *one)
{
    sum->calls += one->calls;
    sum->acknowledged += one->acknowledged;
    sum->journaled += one->journaled;
    sum->journaled_exchanges += one->journaled_exchanges;
    sum->stored += one->stored;
    sum->waiting += one->waiting;
    sum->dead += one->dead;
    sum->lost += one->lost;
    sum->doubled += one->doubled;
    sum->half += one->half;
    sum->late += one->late;
    sum->wrong += one->wrong;
}

long checker_count_violations(const checker_findings *findings)
{
    return findings->lost + findings->doubled + findings->half + findings->late + findings->wrong;
}

bool checker_is_clean(const checker_findings *findings)
{
    return checker_count_violations(findings) == 0;
}
