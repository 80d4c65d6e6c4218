/* Reads the store through libpq alone and compares each row with what should be there. */
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault/checker_internal.h"

enum { RECOVERY_SECONDS = 60 };

#define THE_TURN "turn %" PRIu64 " of session %" PRIu64

typedef struct reading {
    check *check;
    PGconn *link;
    fault_turn turn; /* the exchange whose messages are being read */
    long place;      /* of its next message */
    long left;       /* messages that it still lacks */
    char session_id[CONV_UUID_TEXT_SIZE];
    int64_t latest_attempt_ns; /* of the turns before it in its session */
    int64_t tokens;            /* of what is stored: what they should be */
    conv_decimal cost;
} reading;

static void ask(reading *self, const char *sql)
{
    if (!PQsendQuery(self->link, sql) || !PQsetSingleRowMode(self->link))
        checker_die(sql, PQerrorMessage(self->link));
}

/* The next row, or NULL after the last. */
static PGresult *next_row(reading *self)
{
    PGresult *row = PQgetResult(self->link);
    if (row != NULL && PQresultStatus(row) == PGRES_SINGLE_TUPLE) return row;
    if (row == NULL || PQresultStatus(row) != PGRES_TUPLES_OK)
        checker_die("reading the store", PQerrorMessage(self->link));
    do
        PQclear(row);
    while ((row = PQgetResult(self->link)) != NULL);
    return NULL;
}

static long count(reading *self, const char *sql)
{
    PGresult *row = PQexec(self->link, sql);
    if (PQresultStatus(row) != PGRES_TUPLES_OK) checker_die(sql, PQerrorMessage(self->link));
    long value = strtol(PQgetvalue(row, 0, 0), NULL, 10);
    PQclear(row);
    return value;
}

static bool is(const PGresult *row, int column, const char *text)
{
    return strcmp(PQgetvalue(row, 0, column), text) == 0;
}

static bool is_uuid(const PGresult *row, int column, conv_uuid uuid)
{
    char text[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(uuid, text);
    return is(row, column, text);
}

enum { SESSION, PLACE, ROLE, CONTENT, EXCHANGE, MESSAGES, STATUS };

static const char messages_sql[] =
    "SELECT m.session_id, m.place, m.role, m.content, e.exchange_id, e.message_count, e.status"
    " FROM chat_messages m LEFT JOIN chat_exchanges e ON m.place = 0"
    " AND e.session_id = m.session_id AND e.first_message_id = m.message_id"
    " ORDER BY m.session_id, m.position";

static void check_ids(reading *self, const PGresult *row)
{
    char session[FAULT_ID_SIZE];
    char turn[FAULT_ID_SIZE];
    fault_session_id(self->turn.session, session);
    fault_turn_id(self->turn.turn, turn);
    if (!is_uuid(row, SESSION, conv_uuid_ensure(conv_text(session))) ||
        !is_uuid(row, EXCHANGE, conv_uuid_ensure(conv_text(turn))))
        checker_violation(self->check, &self->check->findings.wrong,
                          THE_TURN " is stored under another id", self->turn.turn,
                          self->turn.session);
}

/* Who was acknowledged before another was tried comes before it. */
static void check_order(reading *self, const known *one)
{
    if (!self->check->params->unordered && one->acknowledged &&
        one->first_acknowledged_ns < self->latest_attempt_ns)
        checker_violation(self->check, &self->check->findings.wrong,
                          THE_TURN " stands behind one that was tried after it was acknowledged",
                          one->turn.turn, one->turn.session);
    if (one->first_attempt_ns > self->latest_attempt_ns)
        self->latest_attempt_ns = one->first_attempt_ns;
}

static void count_stored(reading *self, known *one, const fault_turn *turn)
{
    checker_findings *findings = &self->check->findings;
    findings->stored++;
    if (one == NULL)
        checker_violation(self->check, &findings->wrong, THE_TURN " was never tried and is stored",
                          turn->turn, turn->session);
    else if (one->stored++ > 0)
        checker_violation(self->check, &findings->doubled, THE_TURN " is stored twice", turn->turn,
                          turn->session);
    else if (!one->possible)
        checker_violation(self->check, &findings->wrong, THE_TURN " was refused and is stored",
                          turn->turn, turn->session);
}

static void end_exchange(reading *self)
{
    if (self->left > 0)
        checker_violation(self->check, &self->check->findings.half, THE_TURN " lacks %ld messages",
                          self->turn.turn, self->turn.session, self->left);
    self->left = 0;
}

static void begin_exchange(reading *self, const PGresult *row, const fault_turn *turn)
{
    end_exchange(self);
    self->turn = *turn;
    self->place = 0;
    if (!is(row, SESSION, self->session_id)) {
        snprintf(self->session_id, sizeof self->session_id, "%s", PQgetvalue(row, 0, SESSION));
        self->latest_attempt_ns = 0;
    }
    if (PQgetisnull(row, 0, EXCHANGE)) {
        checker_violation(self->check, &self->check->findings.half,
                          THE_TURN " has messages and no exchange", turn->turn, turn->session);
        return;
    }
    self->left = strtol(PQgetvalue(row, 0, MESSAGES), NULL, 10);
    if (is(row, STATUS, "complete") && self->left != 2)
        checker_violation(self->check, &self->check->findings.half,
                          THE_TURN " is complete with %ld messages", turn->turn, turn->session,
                          self->left);
    known *one = checker_find(self->check, turn, false);
    check_ids(self, row);
    count_stored(self, one, turn);
    if (one != NULL) check_order(self, one);
}

static void take_message(reading *self, const PGresult *row)
{
    fault_turn turn = {0};
    bool reply = false;
    checker_findings *findings = &self->check->findings;
    if (!fault_read_text(PQgetvalue(row, 0, CONTENT), &turn, &reply)) {
        checker_violation(self->check, &findings->wrong, "a message of nobody is stored");
        return;
    }
    long place = strtol(PQgetvalue(row, 0, PLACE), NULL, 10);
    if (place == 0) begin_exchange(self, row, &turn);
    if (place != self->place || memcmp(&turn, &self->turn, sizeof turn) != 0 ||
        !is(row, SESSION, self->session_id))
        checker_violation(self->check, &findings->half, THE_TURN " has messages between others'",
                          turn.turn, turn.session);
    self->place++;
    self->left--;
    char *wanted = fault_text(&turn, place == 1);
    if (!is(row, CONTENT, wanted) || !is(row, ROLE, place == 1 ? "assistant" : "user"))
        checker_violation(self->check, &findings->wrong, THE_TURN " is stored with other content",
                          turn.turn, turn.session);
    free(wanted);
}

enum { LOG, LOG_EXCHANGE, INPUT, OUTPUT, TOTAL, COST, OPERATION, QUESTION };

static const char usage_sql[] =
    "SELECT l.log_id, e.exchange_id, l.input_tokens, l.output_tokens, l.total_tokens, l.cost_usd,"
    " l.operation, m.content FROM usage_logs l LEFT JOIN chat_exchanges e"
    " ON e.session_id = l.session_id AND e.log_id = l.log_id LEFT JOIN chat_messages m"
    " ON m.session_id = e.session_id AND m.message_id = e.first_message_id";

static bool is_number(const PGresult *row, int column, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    return is(row, column, text);
}

static bool is_decimal(const char *text, conv_decimal wanted)
{
    conv_decimal value;
    return conv_decimal_parse(conv_text(text), &value) == CONV_OK &&
           conv_decimal_compare(value, wanted) == 0;
}

static void take_usage(reading *self, const PGresult *row)
{
    fault_turn turn = {0};
    bool reply = false;
    checker_findings *findings = &self->check->findings;
    bool tracked = PQgetisnull(row, 0, LOG_EXCHANGE);
    if (!fault_read_text(PQgetvalue(row, 0, tracked ? OPERATION : QUESTION), &turn, &reply)) {
        checker_violation(self->check, &findings->half, "usage record %s has no exchange",
                          PQgetvalue(row, 0, LOG));
        return;
    }
    conv_usage wanted = fault_usage(&turn);
    if (tracked) {
        known *one = checker_find(self->check, &turn, true);
        count_stored(self, one, &turn);
        if (!is_uuid(row, LOG, fault_log_id(&turn)))
            checker_violation(self->check, &findings->wrong, THE_TURN " has another log id",
                              turn.turn, turn.session);
    }
    if (!is_number(row, INPUT, wanted.input_tokens) ||
        !is_number(row, OUTPUT, wanted.output_tokens) ||
        !is_number(row, TOTAL, wanted.total_tokens) ||
        !is_decimal(PQgetvalue(row, 0, COST), wanted.cost_usd))
        checker_violation(self->check, &findings->wrong, THE_TURN " has other usage", turn.turn,
                          turn.session);
    self->tokens += wanted.total_tokens;
    if (conv_decimal_add(self->cost, wanted.cost_usd, &self->cost) != CONV_OK)
        checker_die("adding costs", "too large");
}

static void check_sums(reading *self)
{
    PGresult *row = PQexec(self->link, "SELECT coalesce(sum(total_tokens), 0),"
                                       " coalesce(sum(cost_usd), 0) FROM usage_logs");
    if (PQresultStatus(row) != PGRES_TUPLES_OK)
        checker_die("summing up", PQerrorMessage(self->link));
    if (!is_number(row, 0, self->tokens) || !is_decimal(PQgetvalue(row, 0, 1), self->cost))
        checker_violation(self->check, &self->check->findings.wrong, "the sums of usage differ");
    PQclear(row);
}

static void count_parts(reading *self, const char *what, long *counter, const char *sql)
{
    long found = count(self, sql);
    if (found == 0) return;
    checker_violation(self->check, counter, "%ld %s", found, what);
    *counter += found - 1;
}

static void check_parts(reading *self)
{
    checker_findings *findings = &self->check->findings;
    count_parts(self, "exchanges without their first message", &findings->half,
                "SELECT count(*) FROM chat_exchanges e LEFT JOIN chat_messages m"
                " ON m.session_id = e.session_id AND m.message_id = e.first_message_id"
                " WHERE m.message_id IS NULL");
    count_parts(self, "exchanges without their usage record", &findings->half,
                "SELECT count(*) FROM chat_exchanges e LEFT JOIN usage_logs l"
                " ON l.session_id = e.session_id AND l.log_id = e.log_id WHERE l.log_id IS NULL");
    count_parts(self, "sessions whose counters differ from their messages", &findings->wrong,
                "SELECT count(*) FROM chat_sessions s FULL JOIN (SELECT session_id, count(*) AS n,"
                " max(position) AS p FROM chat_messages GROUP BY 1) m USING (session_id)"
                " WHERE s.message_count IS DISTINCT FROM coalesce(m.n, 0)"
                " OR s.last_position < coalesce(m.p, 0)");
}

/* A server whose backend was just killed recovers first, and says so. */
static PGconn *connect_to(const char *store)
{
    for (int i = 0; i < RECOVERY_SECONDS * 50 && PQping(store) == PQPING_REJECT; i++)
        usleep(20000);
    return PQconnectdb(store);
}

void checker_read_store(check *judge)
{
    PGconn *link = judge->params->link;
    reading self = {.check = judge, .link = link != NULL ? link : connect_to(judge->params->store)};
    if (PQstatus(self.link) != CONNECTION_OK) checker_die("connecting", PQerrorMessage(self.link));
    PQclear(PQexec(self.link, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    ask(&self, messages_sql);
    for (PGresult *row; (row = next_row(&self)) != NULL; PQclear(row))
        take_message(&self, row);
    end_exchange(&self);
    ask(&self, usage_sql);
    for (PGresult *row; (row = next_row(&self)) != NULL; PQclear(row))
        take_usage(&self, row);
    check_sums(&self);
    check_parts(&self);
    PQclear(PQexec(self.link, "COMMIT"));
    if (link == NULL) PQfinish(self.link);
}
