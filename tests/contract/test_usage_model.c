/* Pages and sums of usage records against a naive model of them: random records, random filters.
 * CONVERSATION_TEST_SEED repeats a run. */
#include "support/contract_store.h"
#include "support/sample.h"
#include "support/test.h"

#include <stdlib.h>

#include "core/random.h"
#include "core/time.h"

enum { RECORDS = 300, QUESTIONS = 150, KEYS = 64 };

static const char *const services[] = {"chat", "document", "embedding"};
static const char *const operations[] = {"chat", "embeddings", "summarise"};
static const char *const models[] = {NULL, "gpt", "claude", "\xC3\xA4-model"};
static const char *const users[] = {NULL, "anna", "Bert", "6ba7b810-9dad-41d1-80b4-00c04fd430c8"};
static const char *const sessions[] = {NULL, "saved session", "unsaved session"};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Two days, few moments, so that many records share one. */
static const int64_t first_us = INT64_C(1774742340000000); /* 2026-03-28T23:59:00Z */
static const int64_t step_us = INT64_C(10000000);
enum { MOMENTS = 12 };

static conv__arena arena;
static conv_error error;
static conv_usage model[RECORDS];
static uint64_t random_state;

/* SplitMix64: small, and the same everywhere. */
static uint64_t next_random(void)
{
    uint64_t mixed = random_state += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

static size_t below(size_t limit)
{
    return (size_t)(next_random() % limit);
}

static void seed_random(void)
{
    const char *given = getenv("CONVERSATION_TEST_SEED");
    random_state = given != NULL ? strtoull(given, NULL, 10) : conv__random_u64() % 1000000;
    print_message("CONVERSATION_TEST_SEED=%llu\n", (unsigned long long)random_state);
}

static int64_t random_count(void)
{
    return below(4) == 0 ? CONV_UNKNOWN : (int64_t)below(100000);
}

static conv_usage random_usage(void)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.created_us = first_us + (int64_t)below(MOMENTS) * step_us;
    usage.service = conv_text(services[below(COUNT(services))]);
    usage.operation = conv_text(operations[below(COUNT(operations))]);
    usage.model = conv_text(models[below(COUNT(models))]);
    usage.user_id = conv_text(users[below(COUNT(users))]);
    usage.session_id = conv_text(sessions[below(COUNT(sessions))]);
    usage.input_tokens = random_count();
    usage.output_tokens = random_count();
    usage.total_tokens = random_count();
    usage.cache_read_tokens = random_count();
    usage.cache_write_tokens = random_count();
    usage.reasoning_tokens = random_count();
    usage.status = (conv_outcome)below(3);
    usage.priced = below(4) != 0;
    char cost[32];
    snprintf(cost, sizeof cost, "%u.%0*u", (unsigned)below(3), (int)below(9) + 1,
             (unsigned)below(10));
    usage.cost_usd = sample_decimal(cost);
    return usage;
}

static int newest_first(const void *left, const void *right)
{
    const conv_usage *a = left;
    const conv_usage *b = right;
    if (a->created_us != b->created_us) return a->created_us < b->created_us ? 1 : -1;
    return conv_uuid_compare(b->log_id, a->log_id);
}

/* The session that has a row gives its spelling back; the other one only its UUID. */
static void make_session(void)
{
    conv__store *store = contract_store();
    conv__session_row row;
    assert_ok(conv__session_to_row(&arena, conv_text(sessions[1]), conv_text(NULL), conv_text(NULL),
                                   conv_text(NULL), &row, &error),
              error);
    row.created_us = first_us;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->chat->functions->create_session(store->chat, transaction, &row, &error),
              error);
    assert_ok(store->functions->commit(transaction, &error), error);
}

static int setup(void **state)
{
    if (contract_setup(state) != 0) return -1;
    seed_random();
    make_session();
    conv__store *store = contract_store();
    const conv__usage_row *rows[RECORDS];
    bool inserted[RECORDS];
    for (int i = 0; i < RECORDS; i++) {
        model[i] = random_usage();
        model[i].log_id = below(2) == 0 ? conv_uuid_v4() : conv_uuid_v7();
        rows[i] = sample_usage(&arena, &model[i]);
    }
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(
        store->usage->functions->save(store->usage, transaction, rows, RECORDS, inserted, &error),
        error);
    assert_ok(store->functions->commit(transaction, &error), error);
    for (int i = 0; i < RECORDS; i++)
        assert_true(inserted[i]);
    qsort(model, RECORDS, sizeof model[0], newest_first);
    return 0;
}

static conv__usage_query random_question(void)
{
    conv__usage_query question = {0};
    if (below(2) == 0) question.service = conv_text(services[below(COUNT(services))]);
    if (below(3) == 0) question.operation = conv_text(operations[below(COUNT(operations))]);
    if (below(3) == 0) question.model = conv_text(models[1 + below(COUNT(models) - 1)]);
    if (below(3) == 0)
        question.user_id = conv_uuid_ensure(conv_text(users[1 + below(COUNT(users) - 1)]));
    if (below(3) == 0)
        question.session_id = conv_uuid_ensure(conv_text(sessions[1 + below(COUNT(sessions) - 1)]));
    if (below(3) == 0) question.from_us = first_us + (int64_t)below(MOMENTS) * step_us;
    if (below(3) == 0) question.to_us = first_us + (int64_t)below(MOMENTS + 1) * step_us;
    return question;
}

static bool text_matches(conv_bytes wanted, conv_bytes value)
{
    return wanted.data == NULL || conv_bytes_equal(wanted, value);
}

static bool id_matches(conv_uuid wanted, conv_bytes value)
{
    return conv_uuid_is_nil(wanted) || conv_uuid_compare(wanted, conv_uuid_ensure(value)) == 0;
}

static bool matches(const conv__usage_query *question, const conv_usage *usage)
{
    return text_matches(question->service, usage->service) &&
           text_matches(question->operation, usage->operation) &&
           text_matches(question->model, usage->model) &&
           id_matches(question->user_id, usage->user_id) &&
           id_matches(question->session_id, usage->session_id) &&
           (question->from_us == 0 || usage->created_us >= question->from_us) &&
           (question->to_us == 0 || usage->created_us < question->to_us);
}

/* An id as it is given back. */
static conv_bytes spelling(conv_bytes name)
{
    if (!conv_bytes_equal(name, conv_text(sessions[2]))) return name;
    return conv_text(contract_uuid(conv_uuid_ensure(name)));
}

static void assert_same_record(const conv_usage *got, const conv_usage *wanted)
{
    assert_memory_equal(&got->log_id, &wanted->log_id, sizeof got->log_id);
    assert_true(got->created_us == wanted->created_us);
    assert_true(conv_bytes_equal(got->service, wanted->service));
    assert_true(conv_bytes_equal(got->model, wanted->model));
    assert_true(conv_bytes_equal(got->user_id, wanted->user_id));
    assert_true(conv_bytes_equal(got->session_id, spelling(wanted->session_id)));
    assert_int_equal(got->total_tokens, wanted->total_tokens);
    assert_int_equal(got->status, wanted->status);
    assert_int_equal(got->priced, wanted->priced);
    if (got->priced) assert_int_equal(conv_decimal_compare(got->cost_usd, wanted->cost_usd), 0);
}

static conv__usage_list read_page(const conv__usage_query *question)
{
    conv__store *store = contract_store();
    conv__usage_list list;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(
        store->usage->functions->query(store->usage, transaction, question, &arena, &list, &error),
        error);
    store->functions->rollback(transaction);
    return list;
}

static void test_pages_are_those_of_the_model(void **state)
{
    (void)state;
    size_t compared = 0;
    for (int i = 0; i < QUESTIONS; i++) {
        conv__usage_query question = random_question();
        question.limit = 1 + below(below(4) == 0 ? 400 : 20);
        int next = 0;
        for (bool more = true; more;) {
            conv__usage_list page = read_page(&question);
            assert_true(page.count <= question.limit);
            for (size_t j = 0; j < page.count; j++, next++, compared++) {
                while (next < RECORDS && !matches(&question, &model[next]))
                    next++;
                assert_true(next < RECORDS);
                assert_same_record(&page.records[j], &model[next]);
            }
            int left = next;
            while (left < RECORDS && !matches(&question, &model[left]))
                left++;
            assert_int_equal(page.has_more, left < RECORDS);
            more = page.has_more;
            if (!more) break;
            question.after_us = page.records[page.count - 1].created_us;
            question.after_id = page.records[page.count - 1].log_id;
        }
    }
    assert_true(compared > RECORDS);
}

static conv_bytes key_of(const conv_usage *usage, conv_usage_group group)
{
    char time[CONV__TIME_TEXT_SIZE];
    conv_bytes day = conv_text(NULL);
    switch (group) {
    case CONV_USAGE_GROUP_NONE:
        return day;
    case CONV_USAGE_GROUP_DAY:
        conv__time_format(usage->created_us, time);
        assert_int_equal(conv__arena_copy(&arena, conv_view(time, 10), &day), CONV_OK);
        return day;
    case CONV_USAGE_GROUP_SERVICE:
        return usage->service;
    case CONV_USAGE_GROUP_OPERATION:
        return usage->operation;
    case CONV_USAGE_GROUP_MODEL:
        return usage->model;
    case CONV_USAGE_GROUP_USER:
        return usage->user_id;
    case CONV_USAGE_GROUP_SESSION:
        return spelling(usage->session_id);
    }
    return day;
}

static void add_count(int64_t *sum, int64_t count)
{
    if (count != CONV_UNKNOWN) *sum += count;
}

static void add_record(conv_usage_total *total, const conv_usage *usage)
{
    total->records++;
    total->failed += usage->status == CONV_OUTCOME_FAILED;
    total->unreported += usage->total_tokens == CONV_UNKNOWN;
    total->unpriced += !usage->priced;
    add_count(&total->input_tokens, usage->input_tokens);
    add_count(&total->output_tokens, usage->output_tokens);
    add_count(&total->total_tokens, usage->total_tokens);
    add_count(&total->cache_read_tokens, usage->cache_read_tokens);
    add_count(&total->cache_write_tokens, usage->cache_write_tokens);
    add_count(&total->reasoning_tokens, usage->reasoning_tokens);
    if (usage->priced)
        assert_int_equal(conv_decimal_add(total->cost_usd, usage->cost_usd, &total->cost_usd),
                         CONV_OK);
}

/* Sums by linear search; gives the number of groups. */
static size_t sum_model(const conv__usage_query *question, conv_usage_group group,
                        conv_usage_total totals[KEYS])
{
    size_t count = group == CONV_USAGE_GROUP_NONE ? 1 : 0;
    memset(totals, 0, KEYS * sizeof totals[0]);
    for (int i = 0; i < RECORDS; i++) {
        if (!matches(question, &model[i])) continue;
        conv_bytes key = key_of(&model[i], group);
        size_t place = 0;
        while (place < count && !conv_bytes_equal(totals[place].key, key))
            place++;
        if (place == count) {
            assert_true(count < KEYS);
            totals[count++].key = key;
        }
        add_record(&totals[place], &model[i]);
    }
    return count;
}

static void assert_same_total(const conv_usage_total *got, const conv_usage_total *wanted)
{
    assert_int_equal(got->records, wanted->records);
    assert_int_equal(got->failed, wanted->failed);
    assert_int_equal(got->unreported, wanted->unreported);
    assert_int_equal(got->unpriced, wanted->unpriced);
    assert_int_equal(got->input_tokens, wanted->input_tokens);
    assert_int_equal(got->output_tokens, wanted->output_tokens);
    assert_int_equal(got->total_tokens, wanted->total_tokens);
    assert_int_equal(got->cache_read_tokens, wanted->cache_read_tokens);
    assert_int_equal(got->cache_write_tokens, wanted->cache_write_tokens);
    assert_int_equal(got->reasoning_tokens, wanted->reasoning_tokens);
    assert_int_equal(conv_decimal_compare(got->cost_usd, wanted->cost_usd), 0);
}

/* By bytes, the one without key last. */
static void assert_ascends(conv_bytes before, conv_bytes after)
{
    assert_non_null(before.data);
    if (after.data == NULL) return;
    size_t common = before.size < after.size ? before.size : after.size;
    int order = memcmp(before.data, after.data, common);
    assert_true(order < 0 || (order == 0 && before.size < after.size));
}

static void test_sums_are_those_of_the_model(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    for (int i = 0; i < QUESTIONS; i++) {
        conv_usage_total wanted[KEYS];
        conv__usage_total_list list;
        conv_usage_group group = (conv_usage_group)(i % (CONV_USAGE_GROUP_SESSION + 1));
        /* The first round asks for everything. */
        conv__usage_query question =
            i <= CONV_USAGE_GROUP_SESSION ? (conv__usage_query){0} : random_question();
        size_t count = sum_model(&question, group, wanted);
        /* A sum ignores where a page begins. */
        question.limit = 1;
        question.after_us = first_us;
        question.after_id = model[0].log_id;
        conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
        assert_ok(store->usage->functions->sum(store->usage, transaction, &question, group, &arena,
                                               &list, &error),
                  error);
        store->functions->rollback(transaction);
        assert_int_equal(list.count, count);
        for (size_t j = 0; j < count; j++) {
            size_t place = 0;
            while (place < count && !conv_bytes_equal(wanted[place].key, list.rows[j].key))
                place++;
            assert_true(place < count);
            assert_same_total(&list.rows[j], &wanted[place]);
            if (j > 0) assert_ascends(list.rows[j - 1].key, list.rows[j].key);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_are_those_of_the_model),
        cmocka_unit_test(test_sums_are_those_of_the_model),
    };
    int failures = RUN_TESTS_WITH("usage model", tests, setup, contract_teardown);
    conv__arena_reset(&arena);
    return failures;
}
