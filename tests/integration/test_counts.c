/* What an exchange costs in counts that no machine's mood changes: round trips, statements, and
 * allocations of the library. The times are in BENCHMARKS.md; nothing here looks at a clock. */
#include "fault/proxy.h"
#include "fault/server.h"
#include "support/failing_memory.h"
#include "support/lock_holder.h"
#include "support/test.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conversation/conversation.h"

enum { WARM = 8, MANY = 20, CALLERS = 32, TRACKED = 500, TRACK_CHUNKS = 3 };

/* Allocations of the library's own threads, which may fall into any time. */
enum { BACKGROUND = 10 };

/* What each of many costs. Allocations are those that the library asks for, which no kind of build
 * changes, so each has its exact number: fewer fail as well, so that what was gained is not lost
 * unseen. A change that needs more says why, and changes it here. */
typedef struct cost {
    long round_trips;
    long statements;
    long prepared;
    long allocations;
    long shared; /* of them, those of a thread that may do the work of several calls at once */
} cost;

static const cost save_cost = {1, 3, 0, 12, 0};
static const cost turn_cost = {2, 4, 0, 23, 0};
static const cost read_cost = {1, 1, 0, 7, 0};
static const cost journal_save_cost = {1, 3, 0, 12, 0};
/* What was noted is taken out of the journal for as many turns as have ended by then. */
static const cost journal_turn_cost = {2, 4, 0, 33, 10};
static const cost sqlite_save_cost = {0, 8, 0, 9, 0};
static const cost sqlite_turn_cost = {0, 13, 0, 15, 0};
/* Of all the callers that share a transaction. */
static const long shared_allocations = 179;

static server *store;
static proxy *between;
static conv_provider *provider;
static conv_client *client;
static conv_error error;

static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *failure)
{
    conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text("42")};
    (void)context;
    (void)request;
    (void)failure;
    return conv_provider_response_message(response, &message);
}

static int setup(void **state)
{
    (void)state;
    failing_memory_start(0, false);
    store = server_start();
    between = proxy_start(server_folder(store));
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = proxy_url(between);
    params.connections = 1;
    params.tracker_records = 100000;
    if (conv_provider_callback("counts", answer, NULL, &provider, &error) != CONV_OK) return -1;
    params.provider = provider;
    if (conv_client_open(&params, &client, &error) == CONV_OK) return 0;
    fprintf(stderr, "%s: %s\n", error.action, error.message);
    return -1;
}

static int teardown(void **state)
{
    (void)state;
    bool closed = conv_client_close(client, 5000, NULL) == CONV_OK;
    conv_provider_free(provider);
    proxy_stop(between);
    server_remove(store);
    failing_memory_stop();
    return closed ? 0 : -1;
}

static atomic_long sqlite_statements;

/* Of each statement once; what a trigger does is told as a comment. */
static int count_statement(unsigned kind, void *context, void *statement, void *text)
{
    (void)kind;
    (void)context;
    (void)statement;
    if (strncmp(text, "--", 2) != 0) atomic_fetch_add(&sqlite_statements, 1);
    return 0;
}

/* SQLite calls it for each connection that anybody opens. */
static int count_statements_of(sqlite3 *database, char **message, const void *routines)
{
    (void)message;
    (void)routines;
    return sqlite3_trace_v2(database, SQLITE_TRACE_STMT, count_statement, NULL);
}

static long sent(char type)
{
    return proxy_messages_of(between, PROXY_TO_SERVER, type);
}

/* A client waits for answers after Sync, Query and Flush; Execute and Query run a statement. */
static cost so_far(void)
{
    return (cost){.round_trips = sent('S') + sent('Q') + sent('H'),
                  .statements = sent('E') + sent('Q') + atomic_load(&sqlite_statements),
                  .prepared = sent('P'),
                  .allocations = (long)failing_memory_asked()};
}

static void check_count(const char *what, long found, long least, long most)
{
    if (found > most)
        fail_msg("%d of them took %ld %s, at most %ld are allowed", MANY, found, what, most);
    if (found < least)
        fail_msg("%d of them took %ld %s, fewer than %ld: lower it here, so that it stays so", MANY,
                 found, what, least);
}

/* The first calls connect and prepare; those after them are what every caller pays. */
static void check_cost(void (*once)(int number), const cost *each)
{
    for (int i = 0; i < WARM; i++)
        once(i);
    cost before = so_far();
    for (int i = 0; i < MANY; i++)
        once(WARM + i);
    cost after = so_far();
    long trips = MANY * each->round_trips;
    long statements = MANY * each->statements;
    long prepared = MANY * each->prepared;
    long allocations = MANY * each->allocations;
    check_count("round trips", after.round_trips - before.round_trips, trips, trips);
    check_count("statements", after.statements - before.statements, statements, statements);
    check_count("preparations", after.prepared - before.prepared, prepared, prepared);
    check_count("allocations", after.allocations - before.allocations,
                allocations - MANY * each->shared - BACKGROUND, allocations + BACKGROUND);
}

static conv_status save(int number, conv_error *failure)
{
    conv_message messages[2] = {
        {.role = CONV_ROLE_USER, .content = conv_text("What is six times seven?")},
        {.role = CONV_ROLE_ASSISTANT, .content = conv_text("42")}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    char session[] = "session 0";
    session[8] = (char)('0' + number / 10);
    exchange.session_id = session;
    exchange.messages = messages;
    exchange.message_count = 2;
    return conv_save_exchange(client, &exchange, NULL, failure);
}

static void save_once(int number)
{
    assert_ok(save(number, &error), error);
}

static void an_exchange_is_one_round_trip(void **state)
{
    (void)state;
    check_cost(save_once, &save_cost);
}

typedef struct caller {
    pthread_t thread;
    int number;
    conv_status status;
} caller;

static void *save_beside(void *context)
{
    caller *self = context;
    self->status = save(self->number, NULL);
    return NULL;
}

/* Callers whose exchanges no transaction has taken along yet. */
static long waiting(void)
{
    static const char name[] = "\nconversation_writer_waiting_exchanges ";
    conv_metrics *metrics = NULL;
    assert_ok(conv_metrics_read(client, CONV_METRICS_PROMETHEUS, &metrics, &error), error);
    const char *line = strstr(conv_metrics_text(metrics), name);
    assert_non_null(line);
    long count = strtol(line + strlen(name), NULL, 10);
    conv_metrics_free(metrics);
    return count;
}

/* One caller's transaction is held up by a lock; all the others come meanwhile, and go together. */
static void callers_share_a_transaction(void **state)
{
    (void)state;
    caller callers[CALLERS];
    for (int i = 0; i < WARM; i++)
        save_once(i);
    long asking = so_far().allocations;
    (void)waiting();
    asking = so_far().allocations - asking;
    lock_holder holder = lock_holder_take(server_url(store));
    cost before = so_far();
    long asked = 1;
    for (int i = 0; i < CALLERS; i++) {
        callers[i].number = i;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, save_beside, &callers[i]), 0);
    }
    for (; waiting() < CALLERS - 1; asked++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    lock_holder_release(&holder);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].status, CONV_OK);
    }
    cost after = so_far();
    assert_int_equal(after.round_trips - before.round_trips, 2);
    assert_int_equal(after.statements - before.statements, 2 * save_cost.statements);
    assert_int_equal(after.prepared - before.prepared, 0);
    long allocations = after.allocations - before.allocations - asked * asking;
    if (labs(allocations - shared_allocations) > BACKGROUND)
        fail_msg("%d callers took %ld allocations, not %ld", CALLERS, allocations,
                 shared_allocations);
}

/* Each in a session of its own, so that the context has the same size. */
static void turn_once(int number)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    char session[] = "turn 00";
    session[5] = (char)('0' + number / 10);
    session[6] = (char)('0' + number % 10);
    turn.session_id = session;
    turn.message = conv_text("What is six times seven?");
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
}

static void a_turn_is_two_round_trips(void **state)
{
    (void)state;
    check_cost(turn_once, &turn_cost);
}

/* The same calls on a client of its own. */
static void check_on(const char *url, const char *journal, const cost *of_save, const cost *of_turn)
{
    conv_client *usual = client;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = url;
    params.journal = journal;
    params.schema = CONV_SCHEMA_MIGRATE;
    params.connections = 1;
    params.provider = provider;
    assert_ok(conv_client_open(&params, &client, &error), error);
    check_cost(save_once, of_save);
    check_cost(turn_once, of_turn);
    assert_ok(conv_client_close(client, 5000, &error), error);
    client = usual;
}

static void a_journal_costs_no_round_trip(void **state)
{
    (void)state;
    char journal[256];
    snprintf(journal, sizeof journal, "%s/counts.journal", server_folder(store));
    check_on(proxy_url(between), journal, &journal_save_cost, &journal_turn_cost);
}

static void sqlite_runs_as_many_statements(void **state)
{
    (void)state;
    char url[256];
    snprintf(url, sizeof url, "sqlite:%s/counts.db", server_folder(store));
    void (*entry)(void) = (void (*)(void))count_statements_of;
    assert_int_equal(sqlite3_auto_extension(entry), SQLITE_OK);
    check_on(url, NULL, &sqlite_save_cost, &sqlite_turn_cost);
    sqlite3_cancel_auto_extension(entry);
}

static void read_once(int number)
{
    (void)number;
    conv_history *history = NULL;
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    params.session_id = "session 0";
    params.before = INT64_MAX;
    params.limit = 10;
    assert_ok(conv_history_read(client, &params, &history, &error), error);
    assert_int_equal(conv_history_count(history), 10);
    conv_history_free(history);
}

static void a_page_of_history_is_one_statement(void **state)
{
    (void)state;
    check_cost(read_once, &read_cost);
}

/* Five hundred records, and one round trip for all of them. */
static void tracked_records_share_a_round_trip(void **state)
{
    (void)state;
    conv_usage usage = CONV_USAGE_INIT;
    size_t pending = 1;
    usage.input_tokens = 7;
    cost before = so_far();
    for (int i = 0; i < TRACKED; i++)
        assert_ok(conv_track_usage(client, &usage, &error), error);
    long allocations = so_far().allocations - before.allocations;
    assert_ok(conv_track_flush(client, 10000, &pending, &error), error);
    cost after = so_far();
    assert_int_equal(pending, 0);
    assert_int_equal(after.round_trips - before.round_trips, 1);
    if (allocations > TRACK_CHUNKS)
        fail_msg("%d records took %ld allocations at their callers", TRACKED, allocations);
    assert_int_equal(server_number(server_url(store), "SELECT count(*) FROM usage_logs"
                                                      " WHERE input_tokens = 7"),
                     TRACKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchange_is_one_round_trip),
        cmocka_unit_test(callers_share_a_transaction),
        cmocka_unit_test(a_turn_is_two_round_trips),
        cmocka_unit_test(a_journal_costs_no_round_trip),
        cmocka_unit_test(sqlite_runs_as_many_statements),
        cmocka_unit_test(a_page_of_history_is_one_statement),
        cmocka_unit_test(tracked_records_share_a_round_trip),
    };
    return RUN_TESTS_WITH("counts", tests, setup, teardown);
}
