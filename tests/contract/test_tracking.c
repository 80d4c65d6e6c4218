/* Tracking and the journal through the public API, on either store. */
#include "support/test.h"

#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

static conv_client *open_client(bool with_journal, int records)
{
    conv_client_params params = contract_client_params();
    params.tracker_records = records;
    if (with_journal) params.journal = contract_client_journal();
    return contract_client_open(&params);
}

static int64_t count(void)
{
    return contract_count("SELECT count(*) FROM usage_logs");
}

static void wait_for_count(int64_t wanted)
{
    for (int i = 0; i < 1000 && count() < wanted; i++)
        usleep(10000);
    assert_int_equal(count(), wanted);
}

static conv_usage embedding(void)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.service = conv_text("documents");
    usage.operation = conv_text("embeddings");
    usage.session_id = conv_text("session-1");
    usage.user_id = conv_text("user-1");
    usage.input_tokens = 12;
    return usage;
}

static void track(conv_client *client, int times)
{
    for (int i = 0; i < times; i++) {
        conv_usage usage = embedding();
        conv_error error;
        assert_ok(conv_track_usage(client, &usage, &error), error);
    }
}

static void ten_records_are_flushed_by_themselves(void **state)
{
    (void)state;
    conv_error error;
    conv_client *client = open_client(false, 0);
    track(client, 9);
    usleep(200000);
    assert_int_equal(count(), 0);
    track(client, 1);
    wait_for_count(10);
    assert_ok(conv_client_close(client, 5000, &error), error);
}

static void assert_health_says(conv_client *client, const char *wanted)
{
    conv_health *health = NULL;
    conv_error error;
    assert_ok(conv_health_read(client, NULL, &health, &error), error);
    const char *said = NULL;
    for (size_t i = 0; i < conv_health_check_count(health); i++)
        if (strcmp(conv_health_check_at(health, i)->name, "tracker") == 0)
            said = conv_health_check_at(health, i)->message;
    assert_string_equal(said, wanted);
    conv_health_free(health);
}

static void closing_and_flushing_save_the_rest(void **state)
{
    (void)state;
    size_t pending = 99;
    conv_error error;
    conv_client *client = open_client(false, 1000);
    track(client, 1);
    assert_health_says(client, "1 record is buffered");
    track(client, 6);
    assert_health_says(client, "7 records are buffered");
    assert_ok(conv_track_flush(client, 5000, &pending, &error), error);
    assert_int_equal(pending, 0);
    assert_int_equal(count(), 17);
    track(client, 3);
    assert_ok(conv_client_close(client, 5000, &error), error);
    assert_int_equal(count(), 20);
}

static void a_total_that_nobody_gave_is_added_up(void **state)
{
    (void)state;
    conv_error error;
    conv_client *client = open_client(false, 1000);
    conv_usage usage = embedding();
    usage.service = conv_text("added up");
    usage.output_tokens = 3;
    assert_ok(conv_track_usage(client, &usage, &error), error);
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_message messages[] = {{.role = CONV_ROLE_USER, .content = conv_text("a")},
                               {.role = CONV_ROLE_ASSISTANT, .content = conv_text("b")}};
    exchange.messages = messages;
    exchange.message_count = 2;
    exchange.usage = usage;
    assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
    assert_ok(conv_client_close(client, 5000, &error), error);
    assert_string_equal(test_store_value(test_store_kind(),
                                         "SELECT count(*) FROM usage_logs"
                                         " WHERE service = 'added up' AND total_tokens = 15"),
                        "2");
    contract_execute("DELETE FROM usage_logs WHERE service = 'added up'");
}

static void the_same_record_counts_once(void **state)
{
    (void)state;
    conv_error error;
    conv_client *client = open_client(false, 1000);
    conv_usage usage = embedding();
    usage.log_id = conv_uuid_v7();
    for (int i = 0; i < 3; i++)
        assert_ok(conv_track_usage(client, &usage, &error), error);
    assert_ok(conv_track_flush(client, 5000, NULL, &error), error);
    assert_ok(conv_track_usage(client, &usage, &error), error);
    assert_ok(conv_client_close(client, 5000, &error), error);
    assert_int_equal(count(), 21);
}

static void a_kill_loses_none_that_the_journal_has(void **state)
{
    (void)state;
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        conv_client *client = open_client(true, 1000);
        track(client, 50);
        if (write(ready[1], "x", 1) != 1) _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(count(), 21);
    conv_error error;
    conv_client *client = open_client(true, 1000);
    assert_ok(conv_client_close(client, 5000, &error), error);
    assert_int_equal(count(), 71);
    client = open_client(true, 1000);
    assert_ok(conv_client_close(client, 5000, &error), error);
    assert_int_equal(count(), 71);
}

/* Leaves `records` in the first spool, as a killed process does. */
static void leave_in_spool(int records)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        conv_client *client = open_client(true, 1000);
        track(client, records);
        if (write(ready[1], "x", 1) != 1) _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ready[0]);
    close(ready[1]);
}

static void records_of_either_spool_go_to_the_store_by_themselves(void **state)
{
    (void)state;
    char first[128];
    char second[128];
    conv_error error;
    int64_t before = count();
    leave_in_spool(5);
    snprintf(first, sizeof first, "%s-usage-1", contract_client_journal());
    snprintf(second, sizeof second, "%s-usage-2", contract_client_journal());
    assert_int_equal(rename(first, second), 0);
    conv_client *client = open_client(true, 1000);
    wait_for_count(before + 5);
    assert_ok(conv_client_close(client, 5000, &error), error);
}

static int count_dead_letters(void)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(contract_client_journal(), &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database,
                                        "SELECT count(*) FROM journal WHERE kind = 'dead'", -1,
                                        &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int letters = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return letters;
}

static void a_damaged_spool_loses_nothing_but_what_is_damaged(void **state)
{
    (void)state;
    char name[128];
    conv_error error;
    int64_t before = count();
    leave_in_spool(20);
    snprintf(name, sizeof name, "%s-usage-1", contract_client_journal());
    FILE *file = fopen(name, "r+b");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    long size = ftell(file) / 20;
    assert_true(size > 40);
    fseek(file, 5 * size + 5, SEEK_SET); /* a length, now far too large */
    fputc(0x7F, file);
    fputc(0x7F, file);
    fseek(file, 10 * size + 30, SEEK_SET); /* within a record */
    fputc(0xFF, file);
    fclose(file);
    conv_client *client = open_client(true, 1000);
    assert_ok(conv_client_close(client, 5000, &error), error);
    assert_int_equal(count(), before + 18);
    assert_int_equal(count_dead_letters(), 2);
}

static void bad_records_are_refused_at_once(void **state)
{
    (void)state;
    conv_error error;
    conv_client *client = open_client(false, 1000);
    conv_usage usage = embedding();
    usage.input_tokens = -2;
    assert_status(conv_track_usage(client, &usage, &error), CONV_INVALID_ARGUMENT, error);
    usage.input_tokens = CONV_TOKENS_MAX + 1;
    assert_status(conv_track_usage(client, &usage, &error), CONV_INVALID_ARGUMENT, error);
    assert_non_null(strstr(error.message, "tokens"));
    usage = embedding();
    usage.created_us = INT64_MAX;
    assert_status(conv_track_usage(client, &usage, &error), CONV_INVALID_ARGUMENT, error);
    assert_non_null(strstr(error.message, "created_us"));
    usage = embedding();
    usage.latency_ms = INT64_MAX / 1000 + 5;
    assert_status(conv_track_usage(client, &usage, &error), CONV_INVALID_ARGUMENT, error);
    assert_non_null(strstr(error.message, "latency"));
    usage = embedding();
    usage.metadata = conv_text("{");
    assert_status(conv_track_usage(client, &usage, &error), CONV_INVALID_ARGUMENT, error);
    assert_non_null(strstr(error.message, "metadata"));
    usage.metadata = conv_text("[]");
    assert_status(conv_track_usage(client, &usage, &error), CONV_INVALID_ARGUMENT, error);
    usage = embedding();
    usage.raw = conv_text("none");
    assert_status(conv_track_usage(client, &usage, &error), CONV_INVALID_ARGUMENT, error);
    usage = embedding();
    usage.status = (conv_outcome)9;
    assert_status(conv_track_usage(client, &usage, &error), CONV_INVALID_ARGUMENT, error);
    usage = embedding();
    usage.service = conv_view("", ((size_t)200 << 20) + 1); /* refused before it is looked at */
    assert_status(conv_track_usage(client, &usage, &error), CONV_LIMIT, error);
    assert_status(conv_track_usage(client, NULL, &error), CONV_INVALID_ARGUMENT, error);
    assert_ok(conv_client_close(client, 5000, &error), error);
}

static void turns_leave_nothing_in_the_journal(void **state)
{
    (void)state;
    conv_error error;
    conv_provider *echo = NULL;
    int64_t before = count();
    assert_ok(conv_provider_echo(&echo, &error), error);
    conv_client *client = open_client(true, 1000);
    for (int i = 0; i < 20; i++) {
        conv_turn turn = CONV_TURN_INIT;
        conv_reply *reply = NULL;
        turn.session_id = "journaled";
        turn.provider = echo;
        turn.message = conv_text("hello");
        assert_ok(conv_process_message(client, &turn, &reply, &error), error);
        assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
        conv_reply_free(reply);
    }
    assert_ok(conv_client_close(client, 5000, &error), error);
    assert_int_equal(count(), before + 20);
    conv_provider_free(echo);
}

static conv_client *open_with(conv_client_params params)
{
    conv_client *client = NULL;
    conv_error error;
    params.store = contract_client_url();
    assert_ok(conv_client_open(&params, &client, &error), error);
    return client;
}

static void a_record_that_is_old_is_flushed_by_itself(void **state)
{
    (void)state;
    conv_error error;
    int64_t before = count();
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.tracker_records = 1000;
    params.tracker_interval_ms = 100;
    conv_client *client = open_with(params);
    track(client, 1);
    wait_for_count(before + 1);
    assert_ok(conv_client_close(client, 5000, &error), error);
}

static void what_a_turn_has_counted_is_not_counted_again(void **state)
{
    (void)state;
    conv_error error;
    conv_reply *reply = NULL;
    int64_t before = count();
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    assert_ok(conv_provider_echo(&params.provider, &error), error);
    conv_client *client = open_with(params);
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "counted";
    turn.message = conv_text("hello");
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    assert_int_equal(count(), before + 1);
    assert_ok(conv_track_usage(client, conv_reply_usage(reply), &error), error);
    assert_ok(conv_track_flush(client, 5000, NULL, &error), error);
    assert_int_equal(count(), before + 1);
    conv_usage elsewhere = *conv_reply_usage(reply); /* the key is both ids */
    elsewhere.session_id = conv_text(NULL);
    assert_ok(conv_track_usage(client, &elsewhere, &error), error);
    assert_ok(conv_track_flush(client, 5000, NULL, &error), error);
    assert_int_equal(count(), before + 2);
    conv_reply_free(reply);
    assert_ok(conv_client_close(client, 5000, &error), error);
    conv_provider_free(params.provider);
}

static void take_away(bool away)
{
    contract_execute(away ? "ALTER TABLE usage_logs RENAME TO usage_away"
                          : "ALTER TABLE usage_away RENAME TO usage_logs");
}

static void flushing_says_how_many_are_not_safe(void **state)
{
    (void)state;
    size_t pending = 0;
    conv_error error;
    int64_t before = count();
    conv_client *client = open_client(false, 1000);
    track(client, 3);
    take_away(true);
    assert_true(conv_track_flush(client, 1000, &pending, &error) != CONV_OK);
    assert_int_equal(pending, 3);
    take_away(false);
    assert_ok(conv_track_flush(client, 5000, &pending, &error), error);
    assert_int_equal(pending, 0);
    assert_int_equal(count(), before + 3);
    assert_ok(conv_client_close(client, 5000, &error), error);
}

/* The store had no time, the journal has some of its own: nothing is left that could be late. */
static void what_the_journal_takes_at_last_is_safe(void **state)
{
    (void)state;
    conv_error error;
    size_t pending = 7;
    int64_t before = count();
    conv_client *client = open_client(true, 1000);
    track(client, 3);
    assert_ok(conv_track_flush(client, 0, &pending, &error), error);
    assert_int_equal(pending, 0);
    contract_client_close(&client);
    assert_int_equal(count(), before + 3);
}

static void the_journal_takes_no_more_than_its_limit(void **state)
{
    (void)state;
    enum { LIMIT_BYTES = 200000 };
    conv_error error = CONV_ERROR_INIT;
    conv_status status = CONV_OK;
    int64_t before = count();
    int tracked = 0;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.journal = contract_client_journal();
    params.journal_bytes = LIMIT_BYTES;
    params.tracker_records = 1000;
    params.store_timeout_ms = 1000;
    conv_client *client = open_with(params);
    take_away(true);
    /* Another flush may last too long for this one, which says nothing of the limit. */
    while ((status == CONV_OK || status == CONV_TIMEOUT) && tracked < 20000) {
        track(client, 20);
        tracked += 20;
        status = conv_track_flush(client, 1000, NULL, &error);
    }
    assert_status(status, CONV_LIMIT, error);
    assert_non_null(strstr(error.message, "200000 bytes"));
    take_away(false);
    assert_ok(conv_client_close(client, 30000, &error), error);
    assert_int_equal(count(), before + tracked);
}

static void track_with_poison(conv_client *client)
{
    conv_error error;
    conv_usage usage = embedding();
    track(client, 4);
    usage.operation = conv_text("poison");
    assert_ok(conv_track_usage(client, &usage, &error), error);
    track(client, 4);
}

static conv_status keep_failure(void *context, const conv_event *event)
{
    *(conv_event *)context = *event;
    return CONV_OK;
}

static void a_refused_record_is_told_and_holds_up_no_other(void **state)
{
    (void)state;
    size_t pending = 99;
    conv_error error;
    conv_event failure = {0};
    conv_metrics *metrics = NULL;
    uint64_t subscription = 0;
    int64_t before = count();
    conv_client *client = open_client(false, 1000);
    conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
    params.kinds = CONV_EVENT_SET(CONV_EVENT_USAGE_FAILED);
    params.handler = keep_failure;
    params.context = &failure;
    assert_ok(conv_event_subscribe(client, &params, &subscription, &error), error);
    contract_poison(true, "22023");
    track_with_poison(client);
    assert_status(conv_track_flush(client, 30000, &pending, &error), CONV_BAD_DATA, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_REJECT);
    assert_int_equal(pending, 0);
    assert_int_equal(count(), before + 8);
    track(client, 3);
    assert_ok(conv_track_flush(client, 30000, &pending, &error), error);
    assert_int_equal(count(), before + 11);
    assert_ok(conv_metrics_read(client, CONV_METRICS_PROMETHEUS, &metrics, &error), error);
    const char *failed = strstr(conv_metrics_text(metrics), "conversation_save_failures_total{");
    assert_non_null(failed);
    assert_non_null(strstr(failed, "result=\"failed\"} 1\n"));
    conv_metrics_free(metrics);
    contract_poison(false, NULL);
    assert_ok(conv_client_close(client, 30000, &error), error);
    assert_int_equal(failure.kind, CONV_EVENT_USAGE_FAILED);
    assert_string_equal(failure.operation, "poison");
    assert_int_equal(failure.status, CONV_BAD_DATA);
    assert_false(failure.dead);
}

static void what_a_person_must_mend_holds_up_no_other(void **state)
{
    (void)state;
    size_t pending = 0;
    conv_error error;
    int64_t before = count();
    if (strcmp(test_store_kind(), "postgresql") != 0)
        return; /* SQLite knows no such failure of a single row */
    conv_client *client = open_client(false, 1000);
    contract_poison(true, "42501");
    for (int round = 1; round <= 2; round++) {
        track_with_poison(client);
        assert_status(conv_track_flush(client, 30000, &pending, &error), CONV_PERMISSION, error);
        assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
        assert_int_equal(pending, round);
        assert_int_equal(count(), before + 8 * round);
    }
    contract_poison(false, NULL);
    assert_ok(conv_client_close(client, 30000, &error), error);
    assert_int_equal(count(), before + 18);
}

static void track_of(conv_client *client, const char *user_id, bool poison)
{
    conv_error error;
    conv_usage usage = embedding();
    usage.user_id = conv_text(user_id);
    if (poison) usage.operation = conv_text("poison");
    assert_ok(conv_track_usage(client, &usage, &error), error);
}

/* The refusal, of whomever, is still told by the flush after it. */
static void a_refused_record_hinders_no_erasure(void **state)
{
    (void)state;
    conv_error error;
    conv_erase_receipt receipt;
    conv_client *client = open_client(false, 1000);
    contract_poison(true, "22023");
    track_of(client, "leaving", false);
    track_of(client, "another", true);
    track_of(client, "leaving", true);
    assert_ok(conv_user_erase(client, "leaving", &receipt, &error), error);
    assert_int_equal(receipt.removed.usage_kept, 1);
    assert_status(conv_track_flush(client, 30000, NULL, &error), CONV_BAD_DATA, error);
    contract_poison(false, NULL);
    assert_ok(conv_client_close(client, 30000, &error), error);
}

static void a_waiting_record_hinders_the_erasure_of_its_user_alone(void **state)
{
    (void)state;
    conv_error error;
    conv_erase_receipt receipt;
    if (strcmp(test_store_kind(), "postgresql") != 0)
        return; /* SQLite knows no such failure of a single row */
    conv_client *client = open_client(false, 1000);
    contract_poison(true, "42501");
    track_of(client, "free", false);
    track_of(client, "bound", false);
    track_of(client, "bound", true);
    assert_ok(conv_user_erase(client, "free", &receipt, &error), error);
    assert_int_equal(receipt.removed.usage_kept, 1);
    assert_status(conv_user_erase(client, "bound", &receipt, &error), CONV_PERMISSION, error);
    assert_non_null(strstr(error.message, "of this user"));
    contract_poison(false, NULL);
    assert_ok(conv_user_erase(client, "bound", &receipt, &error), error);
    assert_int_equal(receipt.removed.usage_kept, 2);
    assert_ok(conv_client_close(client, 30000, &error), error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_records_are_flushed_by_themselves),
        cmocka_unit_test(closing_and_flushing_save_the_rest),
        cmocka_unit_test(a_total_that_nobody_gave_is_added_up),
        cmocka_unit_test(the_same_record_counts_once),
        cmocka_unit_test(a_kill_loses_none_that_the_journal_has),
        cmocka_unit_test(records_of_either_spool_go_to_the_store_by_themselves),
        cmocka_unit_test(a_damaged_spool_loses_nothing_but_what_is_damaged),
        cmocka_unit_test(bad_records_are_refused_at_once),
        cmocka_unit_test(turns_leave_nothing_in_the_journal),
        cmocka_unit_test(a_record_that_is_old_is_flushed_by_itself),
        cmocka_unit_test(what_a_turn_has_counted_is_not_counted_again),
        cmocka_unit_test(flushing_says_how_many_are_not_safe),
        cmocka_unit_test(what_the_journal_takes_at_last_is_safe),
        cmocka_unit_test(the_journal_takes_no_more_than_its_limit),
        cmocka_unit_test(a_refused_record_is_told_and_holds_up_no_other),
        cmocka_unit_test(what_a_person_must_mend_holds_up_no_other),
        cmocka_unit_test(a_refused_record_hinders_no_erasure),
        cmocka_unit_test(a_waiting_record_hinders_the_erasure_of_its_user_alone),
    };
    return RUN_TESTS_WITH("tracking", tests, contract_client_setup, contract_client_teardown);
}
