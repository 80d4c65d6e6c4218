/* Many writers on the same sessions. Nobody retries here: locks are taken in one order, so that not
 * even a deadlock may happen. */
#include "support/postgres.h"
#include "support/sample.h"
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/time.h"
#include "repositories/chat.h"
#include "repositories/usage.h"

enum { THREADS = 16, SESSIONS = 5, EXCHANGES = 200, BATCH = 12, ROUNDS = 12, FAILED = 20 };

static conv__store *store;
static PGconn *beside;
static conv__arena arena;
static conv_error error;
static conv__exchange *exchanges[EXCHANGES];
static conv__exchange *failed[FAILED];
static conv__usage_row *records[EXCHANGES];

typedef struct writer {
    pthread_t thread;
    unsigned seed;
    int number;
    long inserted;
    conv_error error;
} writer;

static const char *session_name(int number)
{
    static const char *const names[SESSIONS] = {"zero", "one", "two", "three", "four"};
    return names[number % SESSIONS];
}

static int setup_each(void **state)
{
    (void)state;
    conv__postgres_params params = {.connection = postgres_url(), .connections = THREADS};
    beside = postgres_link();
    postgres_execute(beside, "TRUNCATE chat_users, chat_sessions, chat_exchanges, chat_messages,"
                             " usage_logs, chat_sessions_summary");
    store = postgres_open(&params);
    for (int i = 0; i < EXCHANGES; i++) {
        char user[16];
        conv_usage usage = CONV_USAGE_INIT;
        snprintf(user, sizeof user, "user %d", i % 7);
        usage.user_id = conv_text(user);
        exchanges[i] = sample_exchange(&arena, session_name(i), "question", "answer");
        records[i] = sample_usage(&arena, &usage);
        assert_ok(
            conv__arena_copy(&arena, records[i]->user.external_id, &records[i]->user.external_id),
            error);
        exchanges[i]->session.user = records[i]->user;
    }
    for (int i = 0; i < FAILED; i++)
        failed[i] = sample_failed_exchange(&arena, session_name(i), "unanswered");
    return 0;
}

static int teardown_each(void **state)
{
    (void)state;
    store->functions->close(store);
    PQfinish(beside);
    conv__arena_reset(&arena);
    return 0;
}

static conv__transaction *begin(writer *self)
{
    conv__transaction *transaction = NULL;
    if (store->functions->begin(store, CONV__TRANSACTION_WRITE, conv__deadline_in_ms(60000),
                                &transaction, &self->error) != CONV_OK)
        return NULL;
    return transaction;
}

static int below(writer *self, int limit)
{
    return rand_r(&self->seed) % limit;
}

/* `picked` different numbers below `limit`, in any order. */
static void pick(writer *self, int limit, int *numbers, int picked)
{
    int pool[EXCHANGES];
    for (int i = 0; i < limit; i++)
        pool[i] = i;
    for (int i = 0; i < picked; i++) {
        int at = i + below(self, limit - i);
        numbers[i] = pool[at];
        pool[at] = pool[i];
    }
}

static conv_status save(writer *self, const conv__exchange *const *batch, size_t count,
                        bool replaces)
{
    conv__save_result results[BATCH];
    conv__chat_repository *chat = store->chat;
    conv__transaction *transaction = begin(self);
    if (transaction == NULL) return self->error.status;
    conv_status status = CONV_OK;
    if (replaces)
        status = chat->functions->remove_failed(chat, transaction, batch[0], &self->error);
    if (status == CONV_OK)
        status = chat->functions->save(chat, transaction, batch, count, results, &self->error);
    if (status == CONV_OK)
        status = store->functions->commit(transaction, &self->error);
    else
        store->functions->rollback(transaction);
    for (size_t i = 0; status == CONV_OK && i < count; i++)
        self->inserted += results[i].inserted;
    return status;
}

/* The ledger keeps the records of what was deleted, so each attempt has one of its own. */
static conv__exchange attempt(const conv__exchange *exchange)
{
    conv__exchange copy = *exchange;
    copy.usage.usage.log_id = conv_uuid_v7();
    return copy;
}

static conv_status save_some(writer *self)
{
    int numbers[BATCH];
    conv__exchange copies[BATCH];
    const conv__exchange *batch[BATCH];
    int count = 1 + below(self, BATCH);
    pick(self, EXCHANGES, numbers, count);
    for (int i = 0; i < count; i++) {
        copies[i] = attempt(exchanges[numbers[i]]);
        batch[i] = &copies[i];
    }
    return save(self, batch, (size_t)count, false);
}

static void *save_many(void *argument)
{
    writer *self = argument;
    for (int i = 0; i < ROUNDS; i++)
        if (save_some(self) != CONV_OK) break;
    return NULL;
}

static long run_all(void *(*work)(void *))
{
    static writer writers[THREADS];
    long inserted = 0;
    memset(writers, 0, sizeof writers);
    for (int i = 0; i < THREADS; i++) {
        writers[i].seed = (unsigned)i * 7919 + 1;
        writers[i].number = i;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, work, &writers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(writers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        if (writers[i].error.status != CONV_OK)
            fail_msg("%s: %s [%s]", writers[i].error.action, writers[i].error.message,
                     writers[i].error.sqlstate);
        inserted += writers[i].inserted;
    }
    return inserted;
}

static void assert_consistent(void)
{
    assert_int_equal(postgres_number(beside,
                                     "SELECT count(*) FROM chat_sessions s WHERE"
                                     " message_count <> (SELECT count(*) FROM"
                                     "  chat_messages m WHERE m.session_id = s.session_id)"),
                     0);
    assert_int_equal(postgres_number(beside,
                                     "SELECT count(*) FROM chat_sessions s WHERE"
                                     " last_position < (SELECT max(position) FROM"
                                     "  chat_messages m WHERE m.session_id = s.session_id)"),
                     0);
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM chat_messages m WHERE NOT EXISTS"
                                             " (SELECT FROM chat_sessions s"
                                             "  WHERE s.session_id = m.session_id)"),
                     0);
    assert_int_equal(postgres_number(beside, "SELECT (SELECT count(*) FROM chat_messages) -"
                                             " (SELECT coalesce(sum(message_count), 0)"
                                             "  FROM chat_exchanges)"),
                     0);
    /* An exchange's messages stand side by side. */
    assert_int_equal(postgres_number(beside,
                                     "SELECT count(*) FROM chat_exchanges e JOIN chat_messages f"
                                     " ON f.session_id = e.session_id"
                                     " AND f.message_id = e.first_message_id"
                                     " WHERE e.message_count <> (SELECT count(*) FROM chat_messages"
                                     "  m WHERE m.session_id = e.session_id"
                                     "  AND m.position - m.place = f.position)"),
                     0);
}

static void batches_of_the_same_exchanges(void **state)
{
    (void)state;
    long inserted = run_all(save_many);
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM chat_exchanges"), inserted);
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM usage_logs"), inserted);
    assert_int_equal(postgres_number(beside, "SELECT sum(message_count) FROM chat_sessions"),
                     2 * inserted);
    assert_int_equal(postgres_number(beside, "SELECT sum(last_position) FROM chat_sessions"),
                     2 * inserted);
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM chat_users"), 8);
    assert_consistent();
}

static conv_status delete_one(writer *self)
{
    conv_delete_receipt receipt;
    conv__chat_repository *chat = store->chat;
    conv__transaction *transaction = begin(self);
    if (transaction == NULL) return self->error.status;
    conv_uuid id = conv_uuid_ensure(conv_text(session_name(below(self, SESSIONS))));
    conv_status status =
        chat->functions->delete_session(chat, transaction, id, 1, &receipt, &self->error);
    if (status == CONV_OK) return store->functions->commit(transaction, &self->error);
    store->functions->rollback(transaction);
    return status;
}

static conv_status replace_one(writer *self, int number)
{
    conv__exchange unanswered = attempt(failed[number]);
    conv__exchange answered = attempt(failed[number]);
    const conv__exchange *batch[] = {&unanswered};
    conv_status status = save(self, batch, 1, false);
    answered.status = CONV_OUTCOME_COMPLETE;
    answered.replaces_failed = true;
    batch[0] = &answered;
    return status == CONV_OK ? save(self, batch, 1, true) : status;
}

/* The ids of the failed attempt's messages are used again: they must be gone by then. */
static void *save_replace_delete(void *argument)
{
    writer *self = argument;
    conv_status status = CONV_OK;
    for (int i = 0; status == CONV_OK && i < ROUNDS; i++) {
        int kind = (self->number + i) % 4;
        if (kind == 0)
            status = delete_one(self);
        else if (kind == 1)
            status = replace_one(self, (self->number * ROUNDS + i) % FAILED);
        else
            status = save_some(self);
    }
    return NULL;
}

static void among_deletions_and_replacements(void **state)
{
    (void)state;
    run_all(save_replace_delete);
    assert_consistent();
}

static void *replace_alone(void *argument)
{
    writer *self = argument;
    conv__exchange answered = attempt(failed[0]);
    const conv__exchange *batch[] = {&answered};
    answered.status = CONV_OUTCOME_COMPLETE;
    answered.replaces_failed = true;
    (void)save(self, batch, 1, true);
    return NULL;
}

/* The attempt appears after the replacement has looked for it, and somebody takes the session: who
 * then removed the attempt without the session would close a circle. */
static void an_attempt_that_appears_late(void **state)
{
    (void)state;
    static writer replacing, saving;
    char session[CONV_UUID_TEXT_SIZE];
    char sql[256];
    PGconn *deleting = postgres_link();
    const conv__exchange *unanswered[] = {failed[0]};
    const conv__exchange *of_the_same_user[] = {failed[1]};
    assert_int_equal(save(&saving, of_the_same_user, 1, false), CONV_OK);
    conv_uuid_format(failed[0]->session.session_id, session);
    postgres_execute(beside, "BEGIN; LOCK TABLE chat_branches");
    assert_int_equal(pthread_create(&replacing.thread, NULL, replace_alone, &replacing), 0);
    assert_true(postgres_becomes(deleting,
                                 "SELECT count(*) FROM pg_stat_activity"
                                 " WHERE wait_event_type = 'Lock'",
                                 1));
    assert_int_equal(save(&saving, unanswered, 1, false), CONV_OK);
    snprintf(sql, sizeof sql, "BEGIN; SELECT FROM chat_sessions WHERE session_id = '%s' FOR UPDATE",
             session);
    postgres_execute(deleting, sql);
    postgres_execute(beside, "ROLLBACK");
    /* It is through, or waits for the session. */
    assert_true(postgres_becomes(beside,
                                 "SELECT count(*) FROM pg_stat_activity"
                                 " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                                 " AND state = 'active' AND wait_event_type IS DISTINCT FROM"
                                 " 'Lock'",
                                 0));
    snprintf(sql, sizeof sql, "DELETE FROM chat_exchanges WHERE session_id = '%s'", session);
    postgres_execute(deleting, sql);
    postgres_execute(deleting, "ROLLBACK");
    pthread_join(replacing.thread, NULL);
    assert_ok(replacing.error.status, replacing.error);
    assert_int_equal(replacing.inserted, 0);
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM chat_exchanges"), 2);
    PQfinish(deleting);
}

static void *save_one(void *argument)
{
    writer *self = argument;
    const conv__exchange *batch[] = {exchanges[self->number]};
    (void)save(self, batch, 1, false);
    return NULL;
}

/* Two exchanges of one session bring the same log id at the same moment: neither statement sees
 * what the other one does, and yet only one of them may have the record. */
static void one_usage_record_for_two_exchanges(void **state)
{
    (void)state;
    static writer writers[2];
    char session[CONV_UUID_TEXT_SIZE];
    char sql[256];
    const conv__exchange *first[] = {exchanges[2 * SESSIONS]};
    memset(writers, 0, sizeof writers);
    assert_int_equal(save(&writers[0], first, 1, false), CONV_OK);
    exchanges[SESSIONS]->usage.usage.log_id = exchanges[0]->usage.usage.log_id;
    conv_uuid_format(exchanges[0]->session.session_id, session);
    snprintf(sql, sizeof sql, "BEGIN; SELECT FROM chat_sessions WHERE session_id = '%s' FOR UPDATE",
             session);
    postgres_execute(beside, sql);
    for (int i = 0; i < 2; i++) {
        writers[i] = (writer){.number = i * SESSIONS};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, save_one, &writers[i]), 0);
    }
    PGconn *watching = postgres_link();
    assert_true(postgres_becomes(watching,
                                 "SELECT count(*) FROM pg_stat_activity"
                                 " WHERE datname = current_database() AND wait_event_type = 'Lock'",
                                 2));
    postgres_execute(beside, "ROLLBACK");
    for (int i = 0; i < 2; i++)
        pthread_join(writers[i].thread, NULL);
    assert_int_equal(writers[0].inserted + writers[1].inserted, 1);
    const writer *refused = &writers[writers[0].inserted == 1 ? 1 : 0];
    assert_string_equal(refused->error.sqlstate, "21000");
    assert_int_equal(postgres_number(watching, "SELECT count(*) FROM chat_exchanges"), 2);
    assert_int_equal(postgres_number(watching, "SELECT count(*) FROM usage_logs"), 2);
    assert_consistent();
    PQfinish(watching);
}

static void *save_two(void *argument)
{
    writer *self = argument;
    const conv__exchange *batch[] = {exchanges[0], exchanges[SESSIONS]};
    (void)save(self, batch, 2, false);
    return NULL;
}

/* The SQLSTATE, if it is refused. */
static const char *insert_record(PGconn *link, const conv__exchange *exchange, char sqlstate[6])
{
    char log_id[CONV_UUID_TEXT_SIZE];
    char session[CONV_UUID_TEXT_SIZE];
    char sql[320];
    conv_uuid_format(exchange->usage.usage.log_id, log_id);
    conv_uuid_format(exchange->session.session_id, session);
    snprintf(sql, sizeof sql,
             "INSERT INTO usage_logs (log_id, session_id, created_at, service, operation, status)"
             " VALUES ('%s', '%s', now(), 'chat', 'chat', 'complete')",
             log_id, session);
    PGresult *result = PQexec(link, sql);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    snprintf(sqlstate, 6, "%s", state == NULL ? "" : state);
    PQclear(result);
    return sqlstate;
}

/* Somebody tracks the record of the later log id, and so do two exchanges, of which the first
 * brings it: they must have taken the earlier one by then, as a flush of both would. */
static void exchanges_bring_their_records_in_the_order_of_keys(void **state)
{
    (void)state;
    static writer saving;
    char sqlstate[6];
    PGconn *watching = postgres_link();
    exchanges[SESSIONS]->usage.usage.log_id = conv_uuid_v7();
    exchanges[0]->usage.usage.log_id = conv_uuid_v7();
    postgres_execute(beside, "BEGIN");
    assert_string_equal(insert_record(beside, exchanges[0], sqlstate), "");
    assert_int_equal(pthread_create(&saving.thread, NULL, save_two, &saving), 0);
    assert_true(postgres_becomes(watching,
                                 "SELECT count(*) FROM pg_stat_activity"
                                 " WHERE datname = current_database() AND wait_event_type = 'Lock'",
                                 1));
    postgres_execute(watching, "SET lock_timeout = 100");
    assert_string_equal(insert_record(watching, exchanges[SESSIONS], sqlstate), "55P03");
    postgres_execute(beside, "ROLLBACK");
    pthread_join(saving.thread, NULL);
    assert_ok(saving.error.status, saving.error);
    assert_int_equal(saving.inserted, 2);
    PQfinish(watching);
}

static void *save_usage(void *argument)
{
    writer *self = argument;
    conv__usage_repository *usage = store->usage;
    for (int round = 0; round < ROUNDS; round++) {
        int numbers[EXCHANGES / 4];
        bool inserted[EXCHANGES / 4];
        const conv__usage_row *batch[EXCHANGES / 4];
        pick(self, EXCHANGES, numbers, EXCHANGES / 4);
        for (int i = 0; i < EXCHANGES / 4; i++)
            batch[i] = records[numbers[i]];
        conv__transaction *transaction = begin(self);
        if (transaction == NULL) return NULL;
        conv_status status = usage->functions->save(usage, transaction, batch, EXCHANGES / 4,
                                                    inserted, &self->error);
        if (status == CONV_OK)
            status = store->functions->commit(transaction, &self->error);
        else
            store->functions->rollback(transaction);
        if (status != CONV_OK) return NULL;
        for (int i = 0; i < EXCHANGES / 4; i++)
            self->inserted += inserted[i];
    }
    return NULL;
}

static void records_of_the_same_ids(void **state)
{
    (void)state;
    long inserted = run_all(save_usage);
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM usage_logs"), inserted);
    assert_int_equal(inserted, EXCHANGES);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_each, teardown_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(batches_of_the_same_exchanges),
        TEST(among_deletions_and_replacements),
        TEST(an_attempt_that_appears_late),
        TEST(one_usage_record_for_two_exchanges),
        TEST(exchanges_bring_their_records_in_the_order_of_keys),
        TEST(records_of_the_same_ids),
    };
    return RUN_TESTS_WITH("postgres concurrency", tests, postgres_setup, postgres_teardown);
}
