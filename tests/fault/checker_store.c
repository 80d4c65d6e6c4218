/* Reads a store of either kind and compares each row with what should be there. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault/checker_internal.h"
#include "fault/checker_rows.h"

#define THE_TURN "turn %" PRIu64 " of session %" PRIu64

typedef struct reading {
    check *check;
    checker_rows rows;
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
    self->rows.ask(self->rows.link, sql);
}

static bool next_row(reading *self)
{
    return self->rows.next(self->rows.link);
}

static bool is_null(const reading *self, int column)
{
    return self->rows.value(self->rows.link, column) == NULL;
}

static const char *text(const reading *self, int column)
{
    const char *value = self->rows.value(self->rows.link, column);
    return value != NULL ? value : "";
}

/* Of an answer that is one number. */
static long count(reading *self, const char *sql)
{
    long value = 0;
    ask(self, sql);
    while (next_row(self))
        value = strtol(text(self, 0), NULL, 10);
    return value;
}

static bool is(const reading *self, int column, const char *wanted)
{
    return strcmp(text(self, column), wanted) == 0;
}

static bool is_uuid(const reading *self, int column, conv_uuid uuid)
{
    char wanted[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(uuid, wanted);
    return is(self, column, wanted);
}

enum { SESSION, PLACE, ROLE, CONTENT, EXCHANGE, MESSAGES, STATUS };

static const char messages_sql[] =
    "SELECT m.session_id, m.place, m.role, m.content, e.exchange_id, e.message_count, e.status"
    " FROM chat_messages m LEFT JOIN chat_exchanges e ON m.place = 0"
    " AND e.session_id = m.session_id AND e.first_message_id = m.message_id"
    " ORDER BY m.session_id, m.position";

static void check_ids(reading *self)
{
    char session[FAULT_ID_SIZE];
    char turn[FAULT_ID_SIZE];
    fault_session_id(self->turn.session, session);
    fault_turn_id(self->turn.turn, turn);
    if (!is_uuid(self, SESSION, conv_uuid_ensure(conv_text(session))) ||
        !is_uuid(self, EXCHANGE, conv_uuid_ensure(conv_text(turn))))
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

static void begin_exchange(reading *self, const fault_turn *turn)
{
    end_exchange(self);
    self->turn = *turn;
    self->place = 0;
    if (!is(self, SESSION, self->session_id)) {
        snprintf(self->session_id, sizeof self->session_id, "%s", text(self, SESSION));
        self->latest_attempt_ns = 0;
    }
    if (is_null(self, EXCHANGE)) {
        checker_violation(self->check, &self->check->findings.half,
                          THE_TURN " has messages and no exchange", turn->turn, turn->session);
        return;
    }
    self->left = strtol(text(self, MESSAGES), NULL, 10);
    if (is(self, STATUS, "complete") && self->left != 2)
        checker_violation(self->check, &self->check->findings.half,
                          THE_TURN " is complete with %ld messages", turn->turn, turn->session,
                          self->left);
    known *one = checker_find(self->check, turn, false);
    check_ids(self);
    count_stored(self, one, turn);
    if (one != NULL) check_order(self, one);
}

static void take_message(reading *self)
{
    fault_turn turn = {0};
    bool reply = false;
    checker_findings *findings = &self->check->findings;
    if (!fault_read_text(text(self, CONTENT), &turn, &reply)) {
        checker_violation(self->check, &findings->wrong, "a message of nobody is stored");
        return;
    }
    long place = strtol(text(self, PLACE), NULL, 10);
    if (place == 0) begin_exchange(self, &turn);
    if (place != self->place || memcmp(&turn, &self->turn, sizeof turn) != 0 ||
        !is(self, SESSION, self->session_id))
        checker_violation(self->check, &findings->half, THE_TURN " has messages between others'",
                          turn.turn, turn.session);
    self->place++;
    self->left--;
    char *wanted = fault_text(&turn, place == 1);
    if (!is(self, CONTENT, wanted) || !is(self, ROLE, place == 1 ? "assistant" : "user"))
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

static bool is_number(const reading *self, int column, int64_t value)
{
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%" PRId64, value);
    return is(self, column, wanted);
}

static bool is_decimal(const reading *self, int column, conv_decimal wanted)
{
    conv_decimal value;
    return conv_decimal_parse(conv_text(text(self, column)), &value) == CONV_OK &&
           conv_decimal_compare(value, wanted) == 0;
}

static void take_usage(reading *self)
{
    fault_turn turn = {0};
    bool reply = false;
    checker_findings *findings = &self->check->findings;
    bool tracked = is_null(self, LOG_EXCHANGE);
    if (!fault_read_text(text(self, tracked ? OPERATION : QUESTION), &turn, &reply)) {
        checker_violation(self->check, &findings->half, "usage record %s has no exchange",
                          text(self, LOG));
        return;
    }
    conv_usage wanted = fault_usage(&turn);
    if (tracked) {
        known *one = checker_find(self->check, &turn, true);
        count_stored(self, one, &turn);
        if (!is_uuid(self, LOG, fault_log_id(&turn)))
            checker_violation(self->check, &findings->wrong, THE_TURN " has another log id",
                              turn.turn, turn.session);
    }
    if (!is_number(self, INPUT, wanted.input_tokens) ||
        !is_number(self, OUTPUT, wanted.output_tokens) ||
        !is_number(self, TOTAL, wanted.total_tokens) || !is_decimal(self, COST, wanted.cost_usd))
        checker_violation(self->check, &findings->wrong, THE_TURN " has other usage", turn.turn,
                          turn.session);
    self->tokens += wanted.total_tokens;
    if (conv_decimal_add(self->cost, wanted.cost_usd, &self->cost) != CONV_OK)
        checker_die("adding costs", "too large");
}

static void check_sums(reading *self)
{
    bool equal = true;
    ask(self, self->rows.sums_sql);
    while (next_row(self))
        equal = is_number(self, 0, self->tokens) && is_decimal(self, 1, self->cost);
    if (!equal)
        checker_violation(self->check, &self->check->findings.wrong, "the sums of usage differ");
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
    count_parts(self, "messages without their session", &findings->wrong,
                "SELECT count(*) FROM chat_messages m LEFT JOIN chat_sessions s"
                " ON s.session_id = m.session_id WHERE s.session_id IS NULL");
    /* A failed attempt that was replaced leaves its positions unused; none is used twice. */
    count_parts(self, "sessions whose counters differ from their messages", &findings->wrong,
                "SELECT count(*) FROM chat_sessions s LEFT JOIN (SELECT session_id, count(*) AS n,"
                " max(position) AS p FROM chat_messages GROUP BY 1) m"
                " ON m.session_id = s.session_id WHERE s.message_count <> coalesce(m.n, 0)"
                " OR s.last_position < coalesce(m.p, 0)");
}

void checker_read_store(check *judge)
{
    const checker_params *params = judge->params;
    reading self = {.check = judge,
                    .rows = params->file != NULL ? checker_sqlite_rows(params->file)
                                                 : checker_postgres_rows(params)};
    ask(&self, messages_sql);
    while (next_row(&self))
        take_message(&self);
    end_exchange(&self);
    ask(&self, usage_sql);
    while (next_row(&self))
        take_usage(&self);
    check_sums(&self);
    check_parts(&self);
    self.rows.close(self.rows.link);
}
