/* Usage records: saved once, read back exactly, summed exactly (promises P3, P9). */
#include "support/contract_store.h"
#include "support/sample.h"
#include "support/store.h"
#include "support/test.h"

#include "core/time.h"

static conv__arena arena;
static conv_error error;

static int reset(void **state)
{
    (void)state;
    conv__arena_reset(&arena);
    error = (conv_error)CONV_ERROR_INIT;
    return 0;
}

static void save(const conv__usage_row *const *rows, size_t count, bool *inserted)
{
    conv__store *store = contract_store();
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(
        store->usage->functions->save(store->usage, transaction, rows, count, inserted, &error),
        error);
    assert_ok(store->functions->commit(transaction, &error), error);
}

/* Each test has a service of its own, so that they don't see each other. */
static conv_usage usage_of(const char *service)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.service = conv_text(service);
    return usage;
}

static void save_row(const conv__usage_row *row)
{
    bool inserted = false;
    save(&row, 1, &inserted);
    assert_true(inserted);
}

static void save_one(const conv_usage *usage)
{
    save_row(sample_usage(&arena, usage));
}

static void save_cost(const char *service, const char *cost)
{
    conv_usage usage = usage_of(service);
    usage.priced = cost != NULL;
    if (cost != NULL) usage.cost_usd = sample_decimal(cost);
    save_one(&usage);
}

static conv__usage_list query(const conv__usage_query *question)
{
    conv__store *store = contract_store();
    conv__usage_list list;
    memset(&list, 0xFF, sizeof list);
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(
        store->usage->functions->query(store->usage, transaction, question, &arena, &list, &error),
        error);
    store->functions->rollback(transaction);
    return list;
}

static conv_status try_sum(const char *service, conv_usage_group group,
                           conv__usage_total_list *list)
{
    conv__store *store = contract_store();
    const conv__usage_query question = {.service = conv_text(service)};
    memset(list, 0xFF, sizeof *list);
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    conv_status status = store->usage->functions->sum(store->usage, transaction, &question, group,
                                                      &arena, list, &error);
    store->functions->rollback(transaction);
    return status;
}

static conv_usage_total total(const char *service)
{
    conv__usage_total_list list;
    assert_ok(try_sum(service, CONV_USAGE_GROUP_NONE, &list), error);
    assert_int_equal(list.count, 1);
    assert_null(list.rows[0].key.data);
    return list.rows[0];
}

static void assert_cost(conv_decimal got, const char *wanted)
{
    char text[CONV_DECIMAL_TEXT_SIZE];
    if (conv_decimal_compare(got, sample_decimal(wanted)) == 0) return;
    conv_decimal_format(got, text);
    fail_msg("%s instead of %s", text, wanted);
}

static void test_a_record_is_saved_once(void **state)
{
    (void)state;
    conv_usage usage = usage_of("once");
    const conv__usage_row *first = sample_usage(&arena, &usage);
    const conv__usage_row *second = sample_usage(&arena, &usage);
    const conv__usage_row *third = sample_usage(&arena, &usage);
    const conv__usage_row *one[] = {first, second};
    const conv__usage_row *two[] = {second, third, first};
    bool inserted[3] = {false, false, true};
    save(one, 2, inserted);
    assert_true(inserted[0] && inserted[1]);
    save(two, 3, inserted);
    assert_false(inserted[0]);
    assert_true(inserted[1]);
    assert_false(inserted[2]);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE service = 'once'"), 3);
    assert_int_equal(total("once").records, 3);
}

static conv_status save_new(const conv__usage_row *const *rows, size_t count, bool *inserted)
{
    conv__store *store = contract_store();
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    conv_status status =
        store->usage->functions->save_new(store->usage, transaction, rows, count, inserted, &error);
    if (status == CONV_OK) return store->functions->commit(transaction, &error);
    store->functions->rollback(transaction);
    return status;
}

/* Where a store takes it after all, it tells which was there already. */
static void test_new_records_are_saved_once_too(void **state)
{
    (void)state;
    conv_usage usage = usage_of("new");
    usage.user_id = conv_text("a user of new records");
    const conv__usage_row *first = sample_usage(&arena, &usage);
    const conv__usage_row *second = sample_usage(&arena, &usage);
    const conv__usage_row *third = sample_usage(&arena, &usage);
    const conv__usage_row *one[] = {second, first};
    const conv__usage_row *two[] = {third, first};
    bool inserted[2] = {false, false};
    assert_ok(save_new(one, 2, inserted), error);
    assert_true(inserted[0] && inserted[1]);
    assert_int_equal(total("new").records, 2);
    bool refused = save_new(two, 2, inserted) != CONV_OK;
    if (refused)
        assert_int_equal(error.recovery, CONV_RECOVERY_REJECT);
    else
        assert_true(inserted[0] && !inserted[1]);
    assert_int_equal(total("new").records, refused ? 2 : 3);
}

static void test_nothing_of_a_refused_save_remains(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    conv_usage usage = usage_of("refused");
    const conv__usage_row *good = sample_usage(&arena, &usage);
    usage.priced = true;
    usage.cost_usd = sample_decimal("1");
    conv__usage_row *bad = sample_usage(&arena, &usage);
    bad->usage.cost_usd.negative = true;
    const conv__usage_row *rows[] = {good, bad};
    bool inserted[2];
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    (void)(store->usage->functions->save(store->usage, transaction, rows, 2, inserted, &error) ==
           CONV_OK);
    assert_status(store->functions->commit(transaction, &error), CONV_BAD_DATA, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_REJECT);
    assert_int_equal(total("refused").records, 0);
}

static void test_a_full_record_comes_back(void **state)
{
    (void)state;
    const conv__exchange *exchange = sample_exchange(&arena, "usage session", "a", "b");
    assert_ok(contract_save(contract_store(), &exchange, 1, NULL, &error), error);
    conv_usage usage = usage_of("full");
    usage.created_us = INT64_C(1712345678901234);
    usage.session_id = conv_text("usage session");
    usage.user_id = conv_text("usage user");
    usage.user_email = conv_text("u@example.org");
    usage.operation = conv_text("embeddings");
    usage.model = conv_text("m-1");
    usage.provider = conv_text("openai");
    usage.input_tokens = 3000000000;
    usage.output_tokens = 1;
    usage.total_tokens = 3000000001;
    usage.cache_read_tokens = 0;
    usage.cache_write_tokens = 7;
    usage.reasoning_tokens = CONV_TOKENS_MAX;
    usage.latency_ms = 5000000000;
    usage.priced = true;
    usage.cost_usd = sample_decimal("12345678901234.000000000000000000012345");
    usage.price = conv_text("m-1 2026-01-01");
    usage.status = CONV_OUTCOME_FAILED;
    usage.error = conv_text("rate limit");
    usage.raw = conv_text("{\"a\": 1}");
    usage.metadata = conv_text("{\"b\": 2}");
    const conv__usage_row *row = sample_usage(&arena, &usage);
    bool inserted;
    save(&row, 1, &inserted);
    const conv__usage_query question = {.service = conv_text("full"), .limit = 10};
    conv__usage_list list = query(&question);
    assert_int_equal(list.count, 1);
    assert_false(list.has_more);
    const conv_usage *got = &list.records[0];
    assert_memory_equal(&got->log_id, &row->usage.log_id, sizeof got->log_id);
    assert_true(got->created_us == usage.created_us);
    assert_bytes(got->session_id, "usage session");
    assert_bytes(got->user_id, "usage user");
    assert_bytes(got->user_email, "u@example.org");
    assert_bytes(got->service, "full");
    assert_bytes(got->operation, "embeddings");
    assert_bytes(got->model, "m-1");
    assert_bytes(got->provider, "openai");
    assert_true(got->input_tokens == 3000000000);
    assert_int_equal(got->output_tokens, 1);
    assert_true(got->total_tokens == 3000000001);
    assert_int_equal(got->cache_read_tokens, 0);
    assert_int_equal(got->cache_write_tokens, 7);
    assert_true(got->reasoning_tokens == CONV_TOKENS_MAX);
    assert_true(got->latency_ms == 5000000000);
    assert_true(got->priced);
    assert_cost(got->cost_usd, "12345678901234.000000000000000000012345");
    assert_bytes(got->price, "m-1 2026-01-01");
    assert_int_equal(got->status, CONV_OUTCOME_FAILED);
    assert_bytes(got->error, "rate limit");
    assert_bytes(got->raw, "{\"a\": 1}");
    assert_bytes(got->metadata, "{\"b\": 2}");
}

static void test_an_empty_record_stays_unknown(void **state)
{
    (void)state;
    conv_usage usage = usage_of("empty");
    save_one(&usage);
    const conv__usage_query question = {.service = conv_text("empty"), .limit = 10};
    conv__usage_list list = query(&question);
    const conv_usage *got = &list.records[0];
    assert_null(got->session_id.data);
    assert_null(got->user_id.data);
    assert_null(got->user_email.data);
    assert_null(got->model.data);
    assert_null(got->provider.data);
    assert_null(got->price.data);
    assert_null(got->error.data);
    assert_null(got->raw.data);
    assert_null(got->metadata.data);
    assert_bytes(got->operation, "chat");
    assert_int_equal(got->input_tokens, CONV_UNKNOWN);
    assert_int_equal(got->output_tokens, CONV_UNKNOWN);
    assert_int_equal(got->total_tokens, CONV_UNKNOWN);
    assert_int_equal(got->cache_read_tokens, CONV_UNKNOWN);
    assert_int_equal(got->cache_write_tokens, CONV_UNKNOWN);
    assert_int_equal(got->reasoning_tokens, CONV_UNKNOWN);
    assert_int_equal(got->latency_ms, CONV_UNKNOWN);
    assert_false(got->priced);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE service = 'empty' AND"
                                    " cost_usd IS NULL AND total_tokens IS NULL AND session_id ="
                                    " '00000000-0000-0000-0000-000000000000'"),
                     1);
}

static void test_a_deleted_session_leaves_its_usage(void **state)
{
    (void)state;
    conv_usage usage = usage_of("orphan");
    usage.session_id = conv_text("a session that is not there");
    save_one(&usage);
    const conv__usage_query question = {.session_id = conv_uuid_ensure(usage.session_id),
                                        .limit = 10};
    conv__usage_list list = query(&question);
    assert_int_equal(list.count, 1);
    assert_bytes(list.records[0].session_id, contract_uuid(conv_uuid_ensure(usage.session_id)));
}

static void test_sums_of_money_are_exact(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        save_cost("tenths", "0.1");
    save_cost("tenths", "0.2");
    assert_cost(total("tenths").cost_usd, "1.2");

    save_cost("digits", "123456789012345678901234567890");
    save_cost("digits", "0.00000001");
    save_cost("digits", "0.00000002");
    assert_cost(total("digits").cost_usd, "123456789012345678901234567890.00000003");

    for (int i = 0; i < 7; i++)
        save_cost("small", "0.000000000000000000000000000001");
    assert_cost(total("small").cost_usd, "0.000000000000000000000000000007");
    assert_string_equal(test_store_value(test_store_kind(),
                                         "SELECT count(DISTINCT cost_usd) FROM usage_logs"
                                         " WHERE service = 'small'"),
                        "1");
}

static void test_a_free_record_is_not_an_unpriced_one(void **state)
{
    (void)state;
    save_cost("free", "0");
    save_cost("free", "0.00");
    save_cost("free", NULL);
    conv_usage_total sums = total("free");
    assert_int_equal(sums.records, 3);
    assert_int_equal(sums.unpriced, 1);
    assert_cost(sums.cost_usd, "0");
    const conv__usage_query question = {.service = conv_text("free"), .limit = 10};
    conv__usage_list list = query(&question);
    int priced = 0;
    for (size_t i = 0; i < list.count; i++) {
        priced += list.records[i].priced;
        if (list.records[i].priced) assert_cost(list.records[i].cost_usd, "0");
    }
    assert_int_equal(priced, 2);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE service = 'free'"
                                    " AND cost_usd IS NULL"),
                     1);
}

static void test_sums_of_tokens_pass_32_bits(void **state)
{
    (void)state;
    conv_usage usage = usage_of("large");
    usage.input_tokens = 2000000000;
    usage.output_tokens = 2000000000;
    usage.total_tokens = 4000000000;
    usage.cache_read_tokens = CONV_TOKENS_MAX;
    usage.cache_write_tokens = 1;
    for (int i = 0; i < 2; i++)
        save_one(&usage);
    usage = usage_of("large");
    usage.status = CONV_OUTCOME_FAILED;
    usage.input_tokens = 5;
    save_one(&usage);
    conv_usage_total sums = total("large");
    assert_int_equal(sums.records, 3);
    assert_int_equal(sums.failed, 1);
    assert_int_equal(sums.unreported, 1);
    assert_int_equal(sums.unpriced, 3);
    assert_true(sums.input_tokens == 4000000005);
    assert_true(sums.output_tokens == 4000000000);
    assert_true(sums.total_tokens == 8000000000);
    assert_true(sums.cache_read_tokens == 2 * CONV_TOKENS_MAX);
    assert_int_equal(sums.cache_write_tokens, 2);
    assert_int_equal(sums.reasoning_tokens, 0);
    assert_cost(sums.cost_usd, "0");
}

static void test_a_sum_that_does_not_fit_is_said(void **state)
{
    (void)state;
    conv__usage_total_list list;
    conv_usage usage = usage_of("too many");
    conv__usage_row *row = sample_usage(&arena, &usage);
    row->usage.total_tokens = INT64_MAX; /* no record of this library, but there it is */
    save_row(row);
    assert_true(total("too many").total_tokens == INT64_MAX);
    usage.total_tokens = 1;
    save_one(&usage);
    assert_status(try_sum("too many", CONV_USAGE_GROUP_NONE, &list), CONV_LIMIT, error);

    save_cost("too dear", "99999999999999999999999999999999999999");
    assert_cost(total("too dear").cost_usd, "99999999999999999999999999999999999999");
    save_cost("too dear", "1");
    assert_status(try_sum("too dear", CONV_USAGE_GROUP_NONE, &list), CONV_LIMIT, error);
    /* The store is as usable as before. */
    assert_int_equal(total("free").records, 3);
}

static void test_nothing_has_one_sum_and_no_groups(void **state)
{
    (void)state;
    conv_usage_total sums = total("nothing like this");
    assert_int_equal(sums.records, 0);
    assert_int_equal(sums.failed, 0);
    assert_int_equal(sums.unreported, 0);
    assert_int_equal(sums.unpriced, 0);
    assert_int_equal(sums.total_tokens, 0);
    assert_cost(sums.cost_usd, "0");
    for (int group = CONV_USAGE_GROUP_DAY; group <= CONV_USAGE_GROUP_SESSION; group++) {
        conv__usage_total_list list;
        assert_ok(try_sum("nothing like this", (conv_usage_group)group, &list), error);
        assert_int_equal(list.count, 0);
    }
}

static void test_days_are_those_of_utc(void **state)
{
    (void)state;
    static const char *const times[] = {"2026-03-28T23:59:59.999999Z", "2026-03-29T00:00:00Z",
                                        "2026-03-29T23:59:59.999999Z", "2024-02-29T12:00:00Z"};
    for (size_t i = 0; i < 4; i++) {
        conv_usage usage = usage_of("days");
        assert_true(conv__time_parse(conv_text(times[i]), &usage.created_us));
        save_one(&usage);
    }
    conv__usage_total_list list;
    assert_ok(try_sum("days", CONV_USAGE_GROUP_DAY, &list), error);
    assert_int_equal(list.count, 3);
    assert_bytes(list.rows[0].key, "2024-02-29");
    assert_bytes(list.rows[1].key, "2026-03-28");
    assert_bytes(list.rows[2].key, "2026-03-29");
    assert_int_equal(list.rows[2].records, 2);
}

static void test_an_exchange_counts_as_one_record(void **state)
{
    (void)state;
    const conv__exchange *exchanges[5];
    for (int i = 0; i < 5; i++) {
        conv__exchange *exchange = sample_exchange(&arena, "counted session", "a", "b");
        exchange->usage.usage.service = conv_text("counted");
        exchanges[i] = exchange;
    }
    assert_ok(contract_save(contract_store(), exchanges, 5, NULL, &error), error);
    assert_ok(contract_save(contract_store(), exchanges, 5, NULL, &error), error);
    conv_usage_total sums = total("counted");
    assert_int_equal(sums.records, 5);
    assert_int_equal(sums.total_tokens, 75);
    assert_cost(sums.cost_usd, "0.1875");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_record_is_saved_once, reset),
        cmocka_unit_test_setup(test_new_records_are_saved_once_too, reset),
        cmocka_unit_test_setup(test_nothing_of_a_refused_save_remains, reset),
        cmocka_unit_test_setup(test_a_full_record_comes_back, reset),
        cmocka_unit_test_setup(test_an_empty_record_stays_unknown, reset),
        cmocka_unit_test_setup(test_a_deleted_session_leaves_its_usage, reset),
        cmocka_unit_test_setup(test_sums_of_money_are_exact, reset),
        cmocka_unit_test_setup(test_a_free_record_is_not_an_unpriced_one, reset),
        cmocka_unit_test_setup(test_sums_of_tokens_pass_32_bits, reset),
        cmocka_unit_test_setup(test_a_sum_that_does_not_fit_is_said, reset),
        cmocka_unit_test_setup(test_nothing_has_one_sum_and_no_groups, reset),
        cmocka_unit_test_setup(test_days_are_those_of_utc, reset),
        cmocka_unit_test_setup(test_an_exchange_counts_as_one_record, reset),
    };
    int failures = RUN_TESTS_WITH("usage", tests, contract_setup, contract_teardown);
    conv__arena_reset(&arena);
    return failures;
}
