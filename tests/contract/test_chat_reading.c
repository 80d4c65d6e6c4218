/* Reading messages: pages of history, one message, and what a turn is to know. */
#include "support/contract_store.h"
#include "support/sample.h"
#include "support/test.h"

#include <stdlib.h>

static conv__arena arena;
static conv_error error;

static int reset(void **state)
{
    (void)state;
    conv__arena_reset(&arena);
    error = (conv_error)CONV_ERROR_INIT;
    return 0;
}

static void save(const conv__exchange *exchange)
{
    conv__save_result result;
    assert_ok(contract_save(contract_store(), &exchange, 1, &result, &error), error);
    assert_true(result.inserted);
}

/* Texts of the arena: "0", "1", … */
static const char *number(int value)
{
    char *text = conv__arena_allocate(&arena, 16);
    assert_non_null(text);
    snprintf(text, 16, "%d", value);
    return text;
}

/* Saves turns first to last - 1, whose messages are called by their positions. */
static conv_uuid save_turns(const char *session, int first, int last)
{
    conv_uuid id = conv_uuid_ensure(conv_text(session));
    for (int i = first; i < last; i++)
        save(sample_exchange(&arena, session, number(2 * i + 1), number(2 * i + 2)));
    return id;
}

static conv__message_list read_page(const conv__history_query *query)
{
    conv__store *store = contract_store();
    conv__message_list list;
    memset(&list, 0xFF, sizeof list);
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(store->chat->functions->read_history(store->chat, transaction, query, &arena, &list,
                                                   &error),
              error);
    store->functions->rollback(transaction);
    return list;
}

static void assert_numbers(const conv__message_list *list, int first, int count)
{
    assert_int_equal(list->count, count);
    for (int i = 0; i < count; i++) {
        assert_bytes(list->rows[i].message.content, number(first + i));
        assert_int_equal(list->rows[i].message.position, first + i);
    }
}

static void test_pages_forwards(void **state)
{
    (void)state;
    conv_uuid id = save_turns("forwards", 0, 5);
    save_turns("another session between", 0, 3);
    for (int limit = 1; limit <= 11; limit++) {
        conv__history_query query = {.session_id = id, .limit = (size_t)limit};
        for (int next = 1; next <= 10;) {
            conv__message_list page = read_page(&query);
            int wanted = next + limit - 1 > 10 ? 11 - next : limit;
            assert_numbers(&page, next, wanted);
            next += wanted;
            assert_int_equal(page.has_more, next <= 10);
            query.after = page.rows[page.count - 1].message.position;
        }
        conv__message_list after_the_end = read_page(&query);
        assert_int_equal(after_the_end.count, 0);
        assert_false(after_the_end.has_more);
    }
}

static void test_pages_backwards(void **state)
{
    (void)state;
    conv_uuid id = save_turns("backwards", 0, 5);
    for (int limit = 1; limit <= 11; limit++) {
        conv__history_query query = {.session_id = id, .limit = (size_t)limit, .before = INT64_MAX};
        for (int last = 10; last >= 1;) {
            conv__message_list page = read_page(&query);
            int wanted = last < limit ? last : limit;
            assert_numbers(&page, last - wanted + 1, wanted);
            last -= wanted;
            assert_int_equal(page.has_more, last >= 1);
            query.before = page.rows[0].message.position;
        }
        conv__message_list before_the_first = read_page(&query);
        assert_int_equal(before_the_first.count, 0);
        assert_false(before_the_first.has_more);
    }
}

static void test_pages_with_messages_arriving(void **state)
{
    (void)state;
    conv_uuid id = save_turns("arriving", 0, 2);
    conv__history_query query = {.session_id = id, .limit = 3};
    conv__message_list page = read_page(&query);
    assert_numbers(&page, 1, 3);
    assert_true(page.has_more);
    save_turns("arriving", 2, 3);
    query.after = 3;
    page = read_page(&query);
    assert_numbers(&page, 4, 3);
    assert_false(page.has_more);
    query = (conv__history_query){.session_id = id, .limit = 3, .before = INT64_MAX};
    page = read_page(&query);
    assert_numbers(&page, 4, 3);
    save_turns("arriving", 3, 4);
    query.before = 4;
    page = read_page(&query);
    assert_numbers(&page, 1, 3);
    assert_false(page.has_more);
}

static void test_an_unknown_session_has_an_empty_page(void **state)
{
    (void)state;
    conv__history_query query = {.session_id = conv_uuid_v4(), .limit = 10};
    conv__message_list page = read_page(&query);
    assert_int_equal(page.count, 0);
    assert_false(page.has_more);
}

static void test_a_message_by_its_id(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    conv__exchange *exchange = sample_exchange(&arena, "by id", "question", "answer");
    save(exchange);
    conv__message_list list;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(store->chat->functions->read_message(store->chat, transaction,
                                                   exchange->messages[1].message.message_id, &arena,
                                                   &list, &error),
              error);
    assert_int_equal(list.count, 1);
    assert_bytes(list.rows[0].message.content, "answer");
    assert_int_equal(list.rows[0].message.position, 2);
    assert_int_equal(list.rows[0].message.role, CONV_ROLE_ASSISTANT);
    store->functions->rollback(transaction);

    transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_status(store->chat->functions->read_message(store->chat, transaction, conv_uuid_v4(),
                                                       &arena, &list, &error),
                  CONV_NOT_FOUND, error);
    store->functions->rollback(transaction);
}

static conv__turn_state read_turn(conv_uuid session_id, conv_uuid exchange_id, size_t limit)
{
    conv__store *store = contract_store();
    const conv__turn_query query = {session_id, exchange_id, limit};
    conv__turn_state turn;
    memset(&turn, 0xFF, sizeof turn);
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(
        store->chat->functions->read_turn(store->chat, transaction, &query, &arena, &turn, &error),
        error);
    store->functions->rollback(transaction);
    return turn;
}

static const conv_uuid nil = {{0}};

static void assert_context(conv_uuid session_id, size_t limit, const char *wanted)
{
    char got[1024] = "";
    conv__turn_state turn = read_turn(session_id, nil, limit);
    for (size_t i = 0; i < turn.context.count; i++) {
        size_t used = strlen(got);
        conv_bytes content = turn.context.rows[i].message.content;
        snprintf(got + used, sizeof got - used, "%s%.*s", used > 0 ? " " : "", (int)content.size,
                 content.data);
    }
    assert_string_equal(got, wanted);
}

static void test_a_new_turn_knows_nothing(void **state)
{
    (void)state;
    conv__turn_state turn = read_turn(conv_uuid_v4(), conv_uuid_v4(), 50);
    assert_false(turn.exchange.found);
    assert_int_equal(turn.saved.count, 0);
    assert_int_equal(turn.context.count, 0);
}

static void test_a_saved_turn_is_read_whole(void **state)
{
    (void)state;
    save_turns("saved turn", 0, 2);
    const conv_message messages[] = {
        sample_message(CONV_ROLE_USER, "weather?"),
        {.role = CONV_ROLE_ASSISTANT, .tool_calls = conv_text("[ {\"id\": \"1\"} ]")},
        {.role = CONV_ROLE_TOOL, .content = conv_text("rain"), .tool_call_id = conv_text("1")},
        {.role = CONV_ROLE_ASSISTANT,
         .content = conv_text("wet"),
         .model = conv_text("m"),
         .name = conv_text("n"),
         .status = CONV_OUTCOME_INTERRUPTED},
    };
    conv__exchange *exchange = sample_exchange_of(&arena, "saved turn", messages, 4);
    exchange->status = CONV_OUTCOME_INTERRUPTED;
    exchange->usage.usage.status = CONV_OUTCOME_INTERRUPTED;
    exchange->usage.usage.model = conv_text("gpt");
    exchange->usage.usage.latency_ms = 1234;
    exchange->usage.usage.raw = conv_text("{\"a\": 1}");
    save(exchange);
    save_turns("saved turn", 4, 5);
    conv__turn_state turn = read_turn(exchange->session.session_id, exchange->exchange_id, 0);
    assert_true(turn.exchange.found);
    assert_int_equal(turn.exchange.status, CONV_OUTCOME_INTERRUPTED);
    assert_memory_equal(turn.exchange.request_hash, exchange->request_hash,
                        CONV__CONTENT_HASH_SIZE);
    assert_memory_equal(turn.exchange.reply_hash, exchange->reply_hash, CONV__CONTENT_HASH_SIZE);
    assert_int_equal(turn.context.count, 0);
    assert_int_equal(turn.saved.count, 4);
    for (size_t i = 0; i < 4; i++) {
        const conv_message *got = &turn.saved.rows[i].message;
        assert_int_equal(got->position, 5 + i);
        assert_int_equal(got->role, messages[i].role);
        assert_int_equal(got->status, messages[i].status);
        assert_true(conv_bytes_equal(got->content, messages[i].content));
        assert_true(conv_bytes_equal(got->tool_calls, messages[i].tool_calls));
        assert_true(conv_bytes_equal(got->tool_call_id, messages[i].tool_call_id));
        assert_true(conv_bytes_equal(got->model, messages[i].model));
        assert_true(conv_bytes_equal(got->name, messages[i].name));
        assert_null(got->parts.data);
        assert_true(got->created_us == exchange->messages[i].message.created_us);
        assert_memory_equal(&got->message_id, &exchange->messages[i].message.message_id,
                            sizeof got->message_id);
    }
    const conv_usage *usage = &turn.usage.usage;
    assert_memory_equal(&usage->log_id, &exchange->usage.usage.log_id, sizeof usage->log_id);
    assert_memory_equal(&turn.exchange.log_id, &usage->log_id, sizeof usage->log_id);
    assert_true(usage->created_us == exchange->usage.usage.created_us);
    assert_int_equal(usage->input_tokens, 10);
    assert_int_equal(usage->total_tokens, 15);
    assert_int_equal(usage->reasoning_tokens, CONV_UNKNOWN);
    assert_int_equal(usage->latency_ms, 1234);
    assert_bytes(usage->model, "gpt");
    assert_bytes(usage->raw, "{\"a\": 1}");
    assert_null(usage->provider.data);
    assert_int_equal(usage->status, CONV_OUTCOME_INTERRUPTED);
    assert_true(usage->priced);
    assert_int_equal(conv_decimal_compare(usage->cost_usd, sample_decimal(SAMPLE_COST)), 0);
}

static void test_context_begins_at_an_exchange(void **state)
{
    (void)state;
    conv_uuid id = save_turns("context", 0, 3);
    assert_context(id, 0, "");
    assert_context(id, 1, "");
    assert_context(id, 2, "5 6");
    assert_context(id, 3, "5 6");
    assert_context(id, 4, "3 4 5 6");
    assert_context(id, 5, "3 4 5 6");
    assert_context(id, 6, "1 2 3 4 5 6");
    assert_context(id, 10000, "1 2 3 4 5 6");
    /* A long exchange does not fit: its tail alone would lack the tool calls it answers. */
    const conv_message messages[] = {
        sample_message(CONV_ROLE_USER, "7"), sample_message(CONV_ROLE_ASSISTANT, "8"),
        sample_message(CONV_ROLE_TOOL, "9"), sample_message(CONV_ROLE_ASSISTANT, "10")};
    save(sample_exchange_of(&arena, "context", messages, 4));
    assert_context(id, 3, "");
    assert_context(id, 4, "7 8 9 10");
    assert_context(id, 6, "5 6 7 8 9 10");
}

static void test_context_leaves_failed_turns_out(void **state)
{
    (void)state;
    conv_uuid id = conv_uuid_ensure(conv_text("context failed"));
    save(sample_failed_exchange(&arena, "context failed", "lost 1"));
    assert_context(id, 10, "");
    save(sample_exchange(&arena, "context failed", "a", "b"));
    save(sample_failed_exchange(&arena, "context failed", "lost 2"));
    save(sample_failed_exchange(&arena, "context failed", "lost 3"));
    const conv_message cut[] = {sample_message(CONV_ROLE_USER, "c"),
                                {.role = CONV_ROLE_ASSISTANT,
                                 .content = conv_text("d…"),
                                 .status = CONV_OUTCOME_INTERRUPTED}};
    conv__exchange *interrupted = sample_exchange_of(&arena, "context failed", cut, 2);
    interrupted->status = CONV_OUTCOME_INTERRUPTED;
    save(interrupted);
    save(sample_failed_exchange(&arena, "context failed", "lost 4"));
    assert_context(id, 2, "c d…");
    assert_context(id, 3, "c d…");
    assert_context(id, 4, "a b c d…");
    assert_context(id, 50, "a b c d…");
    /* All of it is history nevertheless. */
    conv__history_query query = {.session_id = id, .limit = 100};
    assert_int_equal(read_page(&query).count, 8);
}

static void test_context_keeps_the_leading_instructions(void **state)
{
    (void)state;
    const conv_message first[] = {
        sample_message(CONV_ROLE_SYSTEM, "S"), sample_message(CONV_ROLE_DEVELOPER, "D"),
        sample_message(CONV_ROLE_USER, "u1"), sample_message(CONV_ROLE_ASSISTANT, "a1")};
    const conv_message third[] = {sample_message(CONV_ROLE_SYSTEM, "later"),
                                  sample_message(CONV_ROLE_USER, "u3"),
                                  sample_message(CONV_ROLE_ASSISTANT, "a3")};
    save(sample_exchange_of(&arena, "leading", first, 4));
    conv_uuid id = conv_uuid_ensure(conv_text("leading"));
    assert_context(id, 0, "");
    assert_context(id, 2, "S D");
    assert_context(id, 4, "S D u1 a1");
    save(sample_exchange(&arena, "leading", "u2", "a2"));
    save(sample_exchange_of(&arena, "leading", third, 3));
    save(sample_exchange(&arena, "leading", "u4", "a4"));
    assert_context(id, 1, "S D");
    assert_context(id, 2, "S D u4 a4");
    assert_context(id, 5, "S D later u3 a3 u4 a4");
    assert_context(id, 7, "S D u2 a2 later u3 a3 u4 a4");
    assert_context(id, 11, "S D u1 a1 u2 a2 later u3 a3 u4 a4");
    assert_context(id, 12, "S D u1 a1 u2 a2 later u3 a3 u4 a4");
}

static void test_sixteen_leading_instructions_at_most(void **state)
{
    (void)state;
    conv_message messages[22];
    for (int i = 0; i < 20; i++)
        messages[i] = sample_message(CONV_ROLE_SYSTEM, number(i + 1));
    messages[20] = sample_message(CONV_ROLE_USER, "u");
    messages[21] = sample_message(CONV_ROLE_ASSISTANT, "a");
    save(sample_exchange_of(&arena, "many instructions", messages, 22));
    save(sample_exchange(&arena, "many instructions", "u2", "a2"));
    assert_context(conv_uuid_ensure(conv_text("many instructions")), 2,
                   "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 u2 a2");
}

static void test_a_failed_turn_is_known_but_no_context(void **state)
{
    (void)state;
    save(sample_exchange(&arena, "retry", "a", "b"));
    conv__exchange *failed = sample_failed_exchange(&arena, "retry", "lost");
    save(failed);
    conv__turn_state turn = read_turn(failed->session.session_id, failed->exchange_id, 10);
    assert_true(turn.exchange.found);
    assert_int_equal(turn.exchange.status, CONV_OUTCOME_FAILED);
    assert_int_equal(turn.saved.count, 1);
    assert_bytes(turn.saved.rows[0].message.content, "lost");
    assert_int_equal(turn.context.count, 2);
    assert_bytes(turn.context.rows[0].message.content, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_pages_forwards, reset),
        cmocka_unit_test_setup(test_pages_backwards, reset),
        cmocka_unit_test_setup(test_pages_with_messages_arriving, reset),
        cmocka_unit_test_setup(test_an_unknown_session_has_an_empty_page, reset),
        cmocka_unit_test_setup(test_a_message_by_its_id, reset),
        cmocka_unit_test_setup(test_a_new_turn_knows_nothing, reset),
        cmocka_unit_test_setup(test_a_saved_turn_is_read_whole, reset),
        cmocka_unit_test_setup(test_context_begins_at_an_exchange, reset),
        cmocka_unit_test_setup(test_context_leaves_failed_turns_out, reset),
        cmocka_unit_test_setup(test_context_keeps_the_leading_instructions, reset),
        cmocka_unit_test_setup(test_sixteen_leading_instructions_at_most, reset),
        cmocka_unit_test_setup(test_a_failed_turn_is_known_but_no_context, reset),
    };
    int failures = RUN_TESTS_WITH("chat reading", tests, contract_setup, contract_teardown);
    conv__arena_reset(&arena);
    return failures;
}
