/* The public API from end to end, on either store: what a program that links the library sees. */
#include "support/test.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

static conv_client *client;
static conv_provider *echo;

static int setup(void **state)
{
    conv_error error;
    conv_price price = {.model = "echo-1", .input = "1.5", .output = "2"};
    if (contract_client_setup(state) != 0) return -1;
    assert_ok(conv_provider_echo(&echo, &error), error);
    conv_client_params params = contract_client_params();
    params.provider = echo;
    params.model = "echo-1";
    params.prices = &price;
    params.price_count = 1;
    client = contract_client_open(&params);
    return 0;
}

static int teardown(void **state)
{
    contract_client_close(&client);
    conv_provider_free(echo);
    return contract_client_teardown(state);
}

static conv_reply *say(const char *session, const char *turn_id, const char *text)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    turn.session_id = session;
    turn.user_id = "user-123";
    turn.turn_id = turn_id;
    turn.message = conv_text(text);
    turn.context_messages = -1; /* echo counts the words of the context too */
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    return reply;
}

static void a_turn_leaves_two_messages_and_one_usage_record(void **state)
{
    (void)state;
    conv_reply *reply = say("test-session", NULL, "Hello there");
    assert_string_equal(conv_reply_text(reply), "Hello there");
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    conv_reply_free(reply);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages"), 2);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), 1);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_sessions"), 1);
    assert_int_equal(contract_count("SELECT message_count FROM chat_sessions"), 2);
    /* uuid.uuid5(uuid.NAMESPACE_DNS, "test-session") and likewise "user-123" */
    assert_string_equal(contract_value("SELECT session_id FROM chat_sessions"),
                        "d2113e7f-186d-5342-908a-af6bd486c306");
    assert_string_equal(contract_value("SELECT user_id FROM usage_logs"),
                        "3a1b8473-3492-5076-98f9-b2dfa6d37933");
    assert_string_equal(contract_value("SELECT external_id FROM chat_users"), "user-123");
    assert_string_equal(contract_value("SELECT cost_usd FROM usage_logs"), "0.000007");
}

static void the_second_turn_sees_the_first(void **state)
{
    (void)state;
    conv_error error;
    conv_history *history = NULL;
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    conv_reply_free(say("order", NULL, "one"));
    conv_reply_free(say("order", NULL, "two"));
    conv_reply_free(say("order", NULL, "three"));
    params.session_id = "order";
    params.before = INT64_MAX;
    params.limit = 4;
    assert_ok(conv_history_read(client, &params, &history, &error), error);
    assert_int_equal(conv_history_count(history), 4);
    assert_true(conv_history_has_more(history));
    assert_bytes(conv_history_message(history, 0)->content, "two");
    assert_bytes(conv_history_message(history, 1)->content, "two");
    assert_bytes(conv_history_message(history, 3)->content, "three");
    assert_int_equal(conv_history_message(history, 3)->role, CONV_ROLE_ASSISTANT);
    conv_uuid id = conv_history_message(history, 2)->message_id;
    conv_history_free(history);
    assert_ok(conv_history_message_by_id(client, id, &history, &error), error);
    assert_int_equal(conv_history_count(history), 1);
    assert_bytes(conv_history_message(history, 0)->content, "three");
    conv_history_free(history);
    assert_status(conv_history_message_by_id(client, conv_uuid_v4(), &history, &error),
                  CONV_NOT_FOUND, error);
    params.session_id = "no such session";
    assert_status(conv_history_read(client, &params, &history, &error), CONV_NOT_FOUND, error);
    assert_null(history);
}

static void a_repeated_turn_adds_nothing(void **state)
{
    (void)state;
    conv_reply *first = say("repeat", "turn-1", "once");
    int64_t messages = contract_count("SELECT count(*) FROM chat_messages");
    int64_t records = contract_count("SELECT count(*) FROM usage_logs");
    conv_reply *second = say("repeat", "turn-1", "once");
    assert_false(conv_reply_is_repeat(first));
    assert_true(conv_reply_is_repeat(second));
    assert_string_equal(conv_reply_text(second), "once");
    assert_string_equal(conv_reply_turn_id(first), conv_reply_turn_id(second));
    assert_int_equal(conv_reply_usage(second)->input_tokens, 1);
    assert_int_equal(
        conv_decimal_compare(conv_reply_usage(first)->cost_usd, conv_reply_usage(second)->cost_usd),
        0);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages"), messages);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), records);
    conv_reply_free(first);
    conv_reply_free(second);
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    turn.session_id = "repeat";
    turn.turn_id = "turn-1";
    turn.message = conv_text("something else");
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_CONFLICT, error);
    assert_null(reply);
}

static int failures_left;

static conv_status fail_first(void *context, const conv_provider_request *request,
                              conv_provider_response *response, conv_error *error)
{
    (void)context;
    (void)request;
    if (failures_left-- > 0) {
        error->status = CONV_UNAVAILABLE;
        snprintf(error->message, sizeof error->message, "the model is away");
        return CONV_UNAVAILABLE;
    }
    conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text("here I am")};
    return conv_provider_response_message(response, &message);
}

static void a_failed_turn_is_kept_and_completed_by_its_repeat(void **state)
{
    (void)state;
    conv_provider *flaky = NULL;
    conv_error error;
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    failures_left = 1;
    assert_ok(conv_provider_callback("flaky", fail_first, NULL, &flaky, &error), error);
    turn.session_id = "flaky";
    turn.turn_id = "turn-1";
    turn.message = conv_text("are you there?");
    turn.provider = flaky;
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_UNAVAILABLE, error);
    assert_string_equal(error.message, "the model is away");
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_FAILED);
    conv_reply_free(reply);
    conv_session_page *session = NULL;
    assert_ok(conv_session_get(client, "flaky", &session, &error), error);
    assert_int_equal(conv_session_page_session(session, 0)->message_count, 1);
    conv_session_page_free(session);
    conv_reply_free(say("flaky", "turn-2", "between"));
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_COMPLETE);
    conv_reply_free(reply);
    /* The completed turn stands where it was completed: after what happened between. */
    conv_history *history = NULL;
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    params.session_id = "flaky";
    assert_ok(conv_history_read(client, &params, &history, &error), error);
    assert_int_equal(conv_history_count(history), 4);
    assert_bytes(conv_history_message(history, 0)->content, "between");
    assert_bytes(conv_history_message(history, 2)->content, "are you there?");
    assert_bytes(conv_history_message(history, 3)->content, "here I am");
    assert_int_equal(conv_history_message(history, 2)->status, CONV_OUTCOME_COMPLETE);
    conv_history_free(history);
    conv_provider_free(flaky);
}

static int stop_after_two(void *context, conv_bytes delta)
{
    int *seen = context;
    (void)delta;
    return ++*seen == 2;
}

static void an_abort_saves_what_came(void **state)
{
    (void)state;
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    int seen = 0;
    turn.session_id = "abort";
    turn.turn_id = "turn-1";
    turn.message = conv_text("one two three four");
    turn.on_delta = stop_after_two;
    turn.delta_context = &seen;
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_CANCELLED, error);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_INTERRUPTED);
    assert_string_equal(conv_reply_text(reply), "one two ");
    conv_reply_free(reply);
    turn.on_delta = NULL;
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    assert_true(conv_reply_is_repeat(reply));
    assert_string_equal(conv_reply_text(reply), "one two ");
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_INTERRUPTED);
    conv_reply_free(reply);
}

static void sessions_are_made_changed_listed_and_deleted(void **state)
{
    (void)state;
    conv_error error;
    conv_session_page *page = NULL;
    conv_session_params params = CONV_SESSION_PARAMS_INIT;
    params.session_id = "kunde/müller";
    params.user_id = "müller";
    params.title = "Erste";
    params.metadata = "{\"plan\": \"free\"}";
    assert_ok(conv_session_create(client, &params, &page, &error), error);
    const conv_session *session = conv_session_page_session(page, 0);
    assert_bytes(session->external_id, "kunde/müller");
    assert_bytes(session->external_user_id, "müller");
    assert_bytes(session->title, "Erste");
    conv_session_page_free(page);
    params.title = "Zweite";
    assert_ok(conv_session_create(client, &params, &page, &error), error);
    assert_bytes(conv_session_page_session(page, 0)->title, "Erste"); /* resumed, not changed */
    conv_session_page_free(page);
    conv_session_params change = CONV_SESSION_PARAMS_INIT;
    change.session_id = "kunde/müller";
    change.title = "Zweite";
    assert_ok(conv_session_update(client, &change, &error), error);
    conv_session_filter filter = CONV_SESSION_FILTER_INIT;
    filter.user_id = conv_text("müller");
    assert_ok(conv_session_list(client, &filter, &page, &error), error);
    assert_int_equal(conv_session_page_count(page), 1);
    assert_bytes(conv_session_page_session(page, 0)->title, "Zweite");
    assert_non_null(conv_session_page_session(page, 0)->metadata.data);
    conv_session_page_free(page);
    conv_reply_free(say("kunde/müller", NULL, "weg damit"));
    conv_delete_receipt receipt;
    assert_ok(conv_session_delete(client, "kunde/müller", &receipt, &error), error);
    assert_int_equal(receipt.sessions, 1);
    assert_int_equal(receipt.messages, 2);
    assert_int_equal(receipt.exchanges, 1);
    assert_int_equal(receipt.usage_kept, 1);
    assert_status(conv_session_delete(client, "kunde/müller", &receipt, &error), CONV_NOT_FOUND,
                  error);
    assert_status(conv_session_update(client, &change, &error), CONV_NOT_FOUND, error);
    assert_status(conv_session_get(client, "kunde/müller", &page, &error), CONV_NOT_FOUND, error);
}

static void sessions_come_page_by_page(void **state)
{
    enum { SESSIONS = 5 };
    (void)state;
    conv_error error;
    conv_session_filter filter = CONV_SESSION_FILTER_INIT;
    filter.user_id = conv_text("pages");
    filter.limit = 2;
    for (int i = 0; i < SESSIONS; i++) {
        conv_session_page *made = NULL;
        conv_session_params params = CONV_SESSION_PARAMS_INIT;
        params.user_id = "pages";
        assert_ok(conv_session_create(client, &params, &made, &error), error);
        conv_session_page_free(made);
    }
    for (size_t seen = 0; seen < SESSIONS;) {
        conv_session_page *page = NULL;
        assert_ok(conv_session_list(client, &filter, &page, &error), error);
        size_t count = conv_session_page_count(page);
        assert_int_equal(count, seen + 2 <= SESSIONS ? 2 : 1);
        const conv_session *last = conv_session_page_session(page, count - 1);
        seen += count;
        assert_int_equal(conv_session_page_has_more(page), seen < SESSIONS);
        filter.after_us = last->updated_us;
        filter.after_id = last->session_id;
        conv_session_page_free(page);
    }
}

static void usage_sums_agree_with_the_ledger(void **state)
{
    (void)state;
    conv_error error;
    conv_usage_totals *totals = NULL;
    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    filter.session_id = conv_text("sums");
    for (int i = 0; i < 5; i++)
        conv_reply_free(say("sums", NULL, "three words here"));
    assert_ok(conv_usage_sum(client, &filter, CONV_USAGE_GROUP_MODEL, &totals, &error), error);
    assert_int_equal(conv_usage_totals_count(totals), 1);
    const conv_usage_total *row = conv_usage_totals_row(totals, 0);
    assert_int_equal(row->records, 5);
    assert_int_equal(row->input_tokens, 15);
    assert_int_equal(row->output_tokens, 15);
    assert_int_equal(row->total_tokens, 30);
    assert_int_equal(row->unpriced, 0);
    char cost[CONV_DECIMAL_TEXT_SIZE];
    conv_decimal_format(row->cost_usd, cost);
    assert_string_equal(cost, "0.0000525"); /* 15 * 1.5 / 10^6 + 15 * 2 / 10^6 */
    conv_usage_totals_free(totals);
    conv_usage_page *page = NULL;
    filter.limit = 3;
    assert_ok(conv_usage_query(client, &filter, &page, &error), error);
    assert_int_equal(conv_usage_page_count(page), 3);
    assert_true(conv_usage_page_has_more(page));
    const conv_usage *last = conv_usage_page_record(page, 2);
    assert_bytes(last->session_id, "sums");
    assert_bytes(last->user_id, "user-123");
    filter.after_us = last->created_us;
    filter.after_id = last->log_id;
    conv_usage_page_free(page);
    assert_ok(conv_usage_query(client, &filter, &page, &error), error);
    assert_int_equal(conv_usage_page_count(page), 2);
    assert_false(conv_usage_page_has_more(page));
    conv_usage_page_free(page);
}

static void hostile_bytes_come_back(void **state)
{
    (void)state;
    static const char hostile[] = "nul \0 bad \xff\xc3( lone \xed\xa0\x80 emoji \xf0\x9f\x91\xa9";
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_history *history = NULL;
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    conv_error error;
    turn.session_id = "hostile \xff id";
    turn.message = conv_view(hostile, sizeof hostile - 1);
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
    params.session_id = turn.session_id;
    assert_ok(conv_history_read(client, &params, &history, &error), error);
    for (size_t i = 0; i < 2; i++)
        assert_true(conv_bytes_equal(conv_history_message(history, i)->content, turn.message));
    conv_history_free(history);
    conv_session_page *page = NULL;
    assert_ok(conv_session_get(client, turn.session_id, &page, &error), error);
    assert_bytes(conv_session_page_session(page, 0)->external_id, turn.session_id);
    conv_session_page_free(page);
}

static void a_hundred_megabytes_are_one_message(void **state)
{
    (void)state;
    enum { SIZE = 100 * 1000 * 1000 };
    char *text = malloc(SIZE);
    conv_message message = {.role = CONV_ROLE_USER};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    conv_history *history = NULL;
    conv_error error;
    assert_non_null(text);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)('a' + i * 7919 % 26);
    message.content = conv_view(text, SIZE);
    exchange.session_id = params.session_id = "large";
    exchange.messages = &message;
    exchange.message_count = 1;
    assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
    assert_ok(conv_history_read(client, &params, &history, &error), error);
    assert_true(conv_bytes_equal(conv_history_message(history, 0)->content, message.content));
    conv_history_free(history);
    free(text);
    assert_ok(conv_session_delete(client, "large", NULL, &error), error);
}

static void a_forked_child_is_refused_and_harms_nothing(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        conv_turn turn = CONV_TURN_INIT;
        conv_reply *reply = NULL;
        conv_error error;
        turn.message = conv_text("from the child");
        bool refused = conv_process_message(client, &turn, &reply, &error) == CONV_STATE;
        refused = conv_client_close(client, 0, &error) == CONV_STATE && refused;
        _exit(refused ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    conv_reply_free(say("after the fork", NULL, "still here"));
}

static void wrong_schemas_are_refused_with_what_to_do(void **state)
{
    (void)state;
    conv_error error;
    conv_client *other = NULL;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = contract_client_url();
    contract_execute("INSERT INTO conversation_schema (version, name) VALUES "
                     "(29990101000000, 'from_the_future')");
    assert_status(conv_client_open(&params, &other, &error), CONV_STATE, error);
    assert_non_null(strstr(error.message, "newer"));
    assert_null(other);
    contract_execute("DELETE FROM conversation_schema WHERE version = 29990101000000");
    assert_ok(conv_client_open(&params, &other, &error), error);
    assert_ok(conv_client_close(other, 1000, &error), error);
    contract_execute("CREATE TABLE kept AS SELECT * FROM conversation_schema;"
                     "DELETE FROM conversation_schema; INSERT INTO conversation_schema"
                     " (version, name) VALUES (20200101000000, 'an_old_one')");
    assert_status(conv_client_open(&params, &other, &error), CONV_STATE, error);
    assert_non_null(strstr(error.message, "conversation migrate"));
    contract_execute("DELETE FROM conversation_schema;"
                     "INSERT INTO conversation_schema SELECT * FROM kept");
    contract_execute("UPDATE conversation_schema SET checksum = 'aaaa'");
    assert_status(conv_client_open(&params, &other, &error), CONV_STATE, error);
    assert_non_null(strstr(error.message, "in another form"));
    contract_execute("DELETE FROM conversation_schema;"
                     "INSERT INTO conversation_schema SELECT * FROM kept; DROP TABLE kept");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_leaves_two_messages_and_one_usage_record),
        cmocka_unit_test(the_second_turn_sees_the_first),
        cmocka_unit_test(a_repeated_turn_adds_nothing),
        cmocka_unit_test(a_failed_turn_is_kept_and_completed_by_its_repeat),
        cmocka_unit_test(an_abort_saves_what_came),
        cmocka_unit_test(sessions_are_made_changed_listed_and_deleted),
        cmocka_unit_test(sessions_come_page_by_page),
        cmocka_unit_test(usage_sums_agree_with_the_ledger),
        cmocka_unit_test(hostile_bytes_come_back),
        cmocka_unit_test(a_hundred_megabytes_are_one_message),
        cmocka_unit_test(a_forked_child_is_refused_and_harms_nothing),
        cmocka_unit_test(wrong_schemas_are_refused_with_what_to_do),
    };
    return RUN_TESTS_WITH("client", tests, setup, teardown);
}
