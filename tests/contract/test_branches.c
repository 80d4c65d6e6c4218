/* Branches through the public API, on either store: what an edit and another answer leave, what a
 * turn is told of its session, and what a linear session stays. */
#include "support/test.h"

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

static conv_client *client;
static conv_provider *witness;
static char told[512]; /* the texts of the last request, with '|' between */
static const char *reply_text;

/* Answers with `reply_text`, or not at all, and remembers what it was told. */
static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)context;
    told[0] = '\0';
    for (size_t i = 0; i < request->message_count; i++) {
        size_t used = strlen(told);
        snprintf(told + used, sizeof told - used, "%s%.*s", i > 0 ? "|" : "",
                 (int)request->messages[i].content.size, request->messages[i].content.data);
    }
    if (reply_text == NULL) {
        *error = (conv_error){.status = CONV_PROVIDER};
        snprintf(error->message, sizeof error->message, "no answer");
        return CONV_PROVIDER;
    }
    const conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text(reply_text)};
    return conv_provider_response_message(response, &message);
}

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    assert_ok(conv_provider_callback("witness", answer, NULL, &witness, &error), error);
    conv_client_params params = contract_client_params();
    params.provider = witness;
    client = contract_client_open(&params);
    return 0;
}

static int teardown(void **state)
{
    contract_client_close(&client);
    conv_provider_free(witness);
    return contract_client_teardown(state);
}

static conv_turn turn_of(const char *session, const char *text)
{
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = session;
    if (text != NULL) turn.message = conv_text(text);
    return turn;
}

static void run(const conv_turn *turn, const char *reply_wanted)
{
    conv_reply *reply = NULL;
    conv_error error;
    reply_text = reply_wanted;
    assert_ok(conv_process_message(client, turn, &reply, &error), error);
    conv_reply_free(reply);
}

static void say(const char *session, const char *text, const char *reply)
{
    conv_turn turn = turn_of(session, text);
    run(&turn, reply);
}

static conv_history *read_page(const conv_history_params *params)
{
    conv_history *history = NULL;
    conv_error error;
    assert_ok(conv_history_read(client, params, &history, &error), error);
    return history;
}

/* The texts of a page, with '|' between; static. */
static const char *texts_of(conv_history *history)
{
    static char texts[512];
    texts[0] = '\0';
    for (size_t i = 0; i < conv_history_count(history); i++) {
        const conv_message *message = conv_history_message(history, i);
        size_t used = strlen(texts);
        snprintf(texts + used, sizeof texts - used, "%s%.*s", i > 0 ? "|" : "",
                 (int)message->content.size, message->content.data);
    }
    conv_history_free(history);
    return texts;
}

static const char *branch_of(const char *session, conv_uuid last)
{
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    params.session_id = session;
    params.branch = true;
    params.last = last;
    return texts_of(read_page(&params));
}

static const char *linear(const char *session)
{
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    params.session_id = session;
    return texts_of(read_page(&params));
}

static conv_uuid message_at(const char *session, int64_t position)
{
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    params.session_id = session;
    params.after = position - 1;
    params.limit = 1;
    conv_history *history = read_page(&params);
    assert_int_equal(conv_history_count(history), 1);
    conv_uuid id = conv_history_message(history, 0)->message_id;
    conv_history_free(history);
    return id;
}

/* On the way of a branch each message goes on after the one before it, whatever the page. */
static void assert_parents(const char *session)
{
    for (size_t limit = 1; limit <= 100; limit *= 10) {
        conv_history_params params = CONV_HISTORY_PARAMS_INIT;
        conv_uuid last = {{0}};
        params.session_id = session;
        params.branch = true;
        params.limit = limit;
        for (bool more = true; more;) {
            conv_history *history = read_page(&params);
            for (size_t i = 0; i < conv_history_count(history); i++) {
                assert_int_equal(conv_uuid_compare(conv_history_parent(history, i), last), 0);
                last = conv_history_message(history, i)->message_id;
                params.after = conv_history_message(history, i)->position;
            }
            assert_true(conv_uuid_is_nil(conv_history_parent(history, limit)));
            more = conv_history_has_more(history);
            conv_history_free(history);
        }
    }
}

/* Positions of the parents of all messages in the order of the session; 0: none. */
static const char *parents_of(const char *session)
{
    static char text[128];
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    params.session_id = session;
    conv_history *history = read_page(&params);
    text[0] = '\0';
    for (size_t i = 0; i < conv_history_count(history); i++) {
        conv_uuid parent = conv_history_parent(history, i);
        long long position = 0;
        for (size_t j = 0; j < i; j++)
            if (conv_uuid_compare(conv_history_message(history, j)->message_id, parent) == 0)
                position = (long long)conv_history_message(history, j)->position;
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%lld", i > 0 ? " " : "", position);
    }
    conv_history_free(history);
    return text;
}

static const char *leaves_of(const char *session)
{
    conv_history *history = NULL;
    conv_error error;
    assert_ok(conv_history_branches(client, session, &history, &error), error);
    return texts_of(history);
}

static const conv_uuid nobody;

static void a_linear_session_stays_what_it_is(void **state)
{
    (void)state;
    say("linear", "a", "A");
    say("linear", "b", "B");
    assert_string_equal(told, "a|A|b");
    /* Going on after the last message is no branch. */
    conv_turn turn = turn_of("linear", "c");
    turn.after = message_at("linear", 4);
    run(&turn, "C");
    assert_string_equal(told, "a|A|b|B|c");
    assert_int_equal(contract_count("SELECT count(*) FROM chat_branches"), 0);
    assert_string_equal(branch_of("linear", nobody), "a|A|b|B|c|C");
    assert_string_equal(branch_of("linear", message_at("linear", 3)), "a|A|b");
    assert_string_equal(leaves_of("linear"), "C");
}

static void an_edited_question_begins_a_branch(void **state)
{
    (void)state;
    say("edit", "a", "A");
    say("edit", "b", "B");
    say("edit", "c", "C");
    conv_turn turn = turn_of("edit", "b2");
    turn.instead_of = message_at("edit", 3);
    run(&turn, "B2");
    assert_string_equal(told, "a|A|b2");
    /* A turn that names nothing goes on with it; one that does, with what it names. */
    say("edit", "d", "D");
    assert_string_equal(told, "a|A|b2|B2|d");
    turn = turn_of("edit", "e");
    turn.after = message_at("edit", 6);
    run(&turn, "E");
    assert_string_equal(told, "a|A|b|B|c|C|e");
    assert_string_equal(linear("edit"), "a|A|b|B|c|C|b2|B2|d|D|e|E");
    assert_string_equal(branch_of("edit", nobody), "a|A|b|B|c|C|e|E");
    assert_string_equal(branch_of("edit", message_at("edit", 10)), "a|A|b2|B2|d|D");
    assert_string_equal(leaves_of("edit"), "D|E");
    assert_int_equal(
        contract_count("SELECT message_count FROM chat_sessions WHERE external_id = 'edit'"), 12);
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    params.session_id = "edit";
    params.branch = true;
    params.last = message_at("edit", 10);
    params.after = 2;
    params.limit = 2;
    conv_history *history = read_page(&params);
    assert_true(conv_history_has_more(history));
    assert_string_equal(texts_of(history), "b2|B2");
    params.after = 0;
    params.before = 9;
    params.limit = 3;
    history = read_page(&params);
    assert_true(conv_history_has_more(history));
    assert_string_equal(texts_of(history), "A|b2|B2");
}

static void the_first_question_can_be_edited(void **state)
{
    (void)state;
    say("first", "a", "A");
    conv_turn turn = turn_of("first", "a2");
    turn.instead_of = message_at("first", 1);
    run(&turn, "A2");
    assert_string_equal(told, "a2");
    say("first", "b", "B");
    assert_string_equal(told, "a2|A2|b");
    assert_string_equal(branch_of("first", nobody), "a2|A2|b|B");
    assert_string_equal(leaves_of("first"), "A|B");
}

static void another_answer_needs_no_question(void **state)
{
    (void)state;
    say("again", "a", "A");
    say("again", "b", "B");
    conv_turn turn = turn_of("again", NULL);
    turn.instead_of = message_at("again", 4);
    turn.turn_id = "again-1";
    run(&turn, "B2");
    assert_string_equal(told, "a|A|b");
    told[0] = '\0';
    run(&turn, "never asked");
    assert_string_equal(told, "");
    assert_string_equal(branch_of("again", nobody), "a|A|b|B2");
    turn.turn_id = NULL;
    turn.instead_of = message_at("again", 5);
    run(&turn, "B3");
    assert_string_equal(told, "a|A|b");
    assert_string_equal(leaves_of("again"), "B|B2|B3");
    say("again", "c", "C");
    assert_string_equal(told, "a|A|b|B3|c");
    assert_int_equal(
        contract_count("SELECT message_count FROM chat_sessions WHERE external_id = 'again'"), 8);
    /* The provider fails: there is nothing to save. */
    conv_reply *reply = NULL;
    conv_error error;
    reply_text = NULL;
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_PROVIDER, error);
    assert_null(reply);
    assert_int_equal(
        contract_count("SELECT message_count FROM chat_sessions WHERE external_id = 'again'"), 8);
}

/* A failed attempt goes when its turn is repeated; what was said after it stays on its branch. */
static void a_failed_edit_takes_nobody_along(void **state)
{
    (void)state;
    conv_reply *reply = NULL;
    conv_error error;
    say("failed", "a", "A");
    say("failed", "b", "B");
    conv_turn turn = turn_of("failed", "a2");
    turn.instead_of = message_at("failed", 1);
    turn.turn_id = "failed-1";
    reply_text = NULL;
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_PROVIDER, error);
    conv_reply_free(reply);
    say("failed", "c", "C");
    assert_string_equal(told, "c"); /* the failed question is no context */
    run(&turn, "A2");
    assert_string_equal(linear("failed"), "a|A|b|B|c|C|a2|A2");
    assert_string_equal(branch_of("failed", message_at("failed", 7)), "c|C");
    assert_string_equal(branch_of("failed", nobody), "a2|A2");
    assert_string_equal(leaves_of("failed"), "B|C|A2");
}

static void system_messages_of_the_branch_come_along(void **state)
{
    (void)state;
    conv_message system = {.role = CONV_ROLE_SYSTEM, .content = conv_text("be kind")};
    conv_turn turn = turn_of("system", "a");
    turn.messages = &system;
    turn.message_count = 1;
    run(&turn, "A");
    say("system", "b", "B");
    turn = turn_of("system", "a2");
    turn.instead_of = message_at("system", 2);
    run(&turn, "A2");
    assert_string_equal(told, "be kind|a2");
    turn = turn_of("system", "c");
    turn.context_messages = 2;
    run(&turn, "C");
    assert_string_equal(told, "be kind|a2|A2|c");
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    conv_reply *reply = NULL;
    conv_error error;
    say("refused", "a", "A");
    say("other", "x", "X");
    conv_turn turn = turn_of("refused", "b");
    turn.after = conv_uuid_v4();
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_NOT_FOUND, error);
    turn.after = message_at("other", 1);
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_NOT_FOUND, error);
    turn.instead_of = turn.after;
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_INVALID_ARGUMENT,
                  error);
    turn = turn_of("refused", NULL);
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_INVALID_ARGUMENT,
                  error);
    turn.instead_of = message_at("refused", 1);
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_non_null(strstr(error.message, "is a question"));
    turn.message = conv_text("b");
    turn.instead_of = message_at("refused", 2);
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_non_null(strstr(error.message, "is an answer"));
    assert_string_equal(linear("refused"), "a|A");
    turn = turn_of(NULL, "b");
    turn.after = message_at("other", 1);
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_INVALID_ARGUMENT,
                  error);
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    conv_history *history = NULL;
    params.session_id = "refused";
    params.branch = true;
    params.last = conv_uuid_v4();
    assert_status(conv_history_read(client, &params, &history, &error), CONV_NOT_FOUND, error);
    params.session_id = "no such session";
    params.last = nobody;
    assert_status(conv_history_read(client, &params, &history, &error), CONV_NOT_FOUND, error);
    assert_status(conv_history_branches(client, "no such session", &history, &error),
                  CONV_NOT_FOUND, error);
}

static void an_exchange_of_the_application_can_branch_too(void **state)
{
    (void)state;
    conv_error error;
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text("b2")},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("B2")}};
    say("exchange", "a", "A");
    say("exchange", "b", "B");
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = "exchange";
    exchange.turn_id = "exchange-1";
    exchange.messages = messages;
    exchange.message_count = 2;
    exchange.after = message_at("exchange", 2);
    for (int i = 0; i < 2; i++) /* the second adds nothing */
        assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
    assert_string_equal(branch_of("exchange", nobody), "a|A|b2|B2");
    assert_string_equal(linear("exchange"), "a|A|b|B|b2|B2");
}

/* Nobody asked for it, so that what takes its place makes no two questions in a row. */
static void each_message_names_the_one_it_goes_on_after(void **state)
{
    (void)state;
    conv_error error;
    conv_history *history = NULL;
    say("parents", "a", "A");
    say("parents", "b", "B");
    conv_turn turn = turn_of("parents", "b2");
    turn.instead_of = message_at("parents", 3);
    run(&turn, "B2");
    turn = turn_of("parents", "a2");
    turn.instead_of = message_at("parents", 1);
    run(&turn, "A2");
    assert_string_equal(parents_of("parents"), "0 1 2 3 2 5 0 7");
    assert_parents("parents");
    conv_uuid third = message_at("parents", 3);
    assert_ok(conv_history_message_by_id(client, message_at("parents", 4), &history, &error),
              error);
    assert_int_equal(conv_uuid_compare(conv_history_parent(history, 0), third), 0);
    conv_history_free(history);
    assert_ok(conv_history_branches(client, "parents", &history, &error), error);
    assert_int_equal(conv_history_count(history), 3);
    assert_int_equal(conv_uuid_compare(conv_history_parent(history, 0), third), 0);
    conv_history_free(history);
}

static void a_question_can_replace_a_greeting(void **state)
{
    (void)state;
    conv_error error;
    conv_message greeting = {.role = CONV_ROLE_ASSISTANT, .content = conv_text("welcome")};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = "greeted";
    exchange.messages = &greeting;
    exchange.message_count = 1;
    assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
    conv_turn turn = turn_of("greeted", "a");
    turn.instead_of = message_at("greeted", 1);
    run(&turn, "A");
    assert_string_equal(told, "a");
    assert_string_equal(branch_of("greeted", nobody), "a|A");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linear_session_stays_what_it_is),
        cmocka_unit_test(an_edited_question_begins_a_branch),
        cmocka_unit_test(the_first_question_can_be_edited),
        cmocka_unit_test(another_answer_needs_no_question),
        cmocka_unit_test(a_failed_edit_takes_nobody_along),
        cmocka_unit_test(system_messages_of_the_branch_come_along),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(an_exchange_of_the_application_can_branch_too),
        cmocka_unit_test(each_message_names_the_one_it_goes_on_after),
        cmocka_unit_test(a_question_can_replace_a_greeting),
    };
    return RUN_TESTS_WITH("branches", tests, setup, teardown);
}
