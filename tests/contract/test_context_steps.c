/* What the chain's steps see and may change of a context that is a branch, or begins with a
 * summary, on either store. */
#include "support/test.h"

#include <stdio.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

#define ADDRESS "ann@example.com"

static conv_provider *provider;
static conv_middleware *redact;
static conv_middleware *watcher;

/* What the provider and the watching step got last, with '|' between. */
static char told[4096];
static char watched[4096];
static const char *context_instead; /* what the step sends along instead; NULL: what is there */

static void write_down(const conv_message *messages, size_t count, char text[4096])
{
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, 4096 - used, "%.*s|", (int)messages[i].content.size,
                 messages[i].content.data);
    }
}

static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)context;
    (void)error;
    const conv_bytes first = request->messages[0].content;
    bool summary = first.size > 13 && memcmp(first.data, "You summarize", 13) == 0;
    if (!summary) write_down(request->messages, request->message_count, told);
    const conv_message message = {
        .role = CONV_ROLE_ASSISTANT,
        .content = conv_text(summary ? "{\"summary\": \"write to " ADDRESS "\"}" : "yes")};
    return conv_provider_response_message(response, &message);
}

static conv_status watch(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    const conv_message *messages = NULL;
    size_t count = 0;
    conv_status status = conv_call_context(call, &messages, &count, error);
    if (status != CONV_OK) return status;
    write_down(messages, count, watched);
    if (context_instead != NULL) {
        const conv_message instead = {.role = CONV_ROLE_SYSTEM,
                                      .content = conv_text(context_instead)};
        status = conv_call_set_context(call, &instead, 1, error);
    }
    return status == CONV_OK ? conv_next_run(next, call, error) : status;
}

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    context_instead = NULL;
    assert_ok(conv_provider_callback("witness", answer, NULL, &provider, &error), error);
    assert_ok(conv_middleware_redact(NULL, &redact, &error), error);
    assert_ok(conv_middleware_callback("watcher", watch, NULL, &watcher, &error), error);
    return 0;
}

static int teardown(void **state)
{
    conv_middleware_free(watcher);
    conv_middleware_free(redact);
    conv_provider_free(provider);
    return contract_client_teardown(state);
}

/* `steps`: redact and watcher before the built-in ones, as many as are wanted. */
static conv_client *open_client(size_t steps, int64_t context_tokens)
{
    conv_client_params params = contract_client_params();
    conv_middleware *const chain[] = {watcher,
                                      redact,
                                      conv_middleware_validate_ids(),
                                      conv_middleware_provider(),
                                      conv_middleware_save_to_database(),
                                      conv_middleware_track_usage(),
                                      conv_middleware_publish()};
    params.provider = provider;
    params.context_tokens = context_tokens;
    params.chain = chain + (2 - steps);
    params.chain_count = sizeof chain / sizeof chain[0] - (2 - steps);
    return contract_client_open(&params);
}

static void say(conv_client *client, const char *text, conv_uuid instead_of)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    turn.session_id = "s";
    turn.message = conv_text(text);
    turn.instead_of = instead_of;
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
}

static conv_uuid message_at(conv_client *client, size_t index)
{
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    conv_history *history = NULL;
    conv_error error;
    params.session_id = "s";
    assert_ok(conv_history_read(client, &params, &history, &error), error);
    conv_uuid id = conv_history_message(history, index)->message_id;
    conv_history_free(history);
    return id;
}

static const conv_uuid nobody;

static void steps_see_and_change_the_branch(void **state)
{
    (void)state;
    conv_client *client = open_client(2, 0);
    say(client, "one " ADDRESS, nobody);
    say(client, "two", nobody);
    say(client, "three", nobody);
    say(client, "edited", message_at(client, 2));
    assert_string_equal(watched, "one [redacted:email]|yes|");
    assert_string_equal(told, "one [redacted:email]|yes|edited|");
    /* Another answer to what was edited: a turn without a message of its own. */
    say(client, NULL, message_at(client, 7));
    assert_string_equal(watched, "one [redacted:email]|yes|edited|");
    assert_string_equal(told, "one [redacted:email]|yes|edited|");
    context_instead = "something else, see " ADDRESS;
    say(client, "four", message_at(client, 2));
    assert_string_equal(watched, "one [redacted:email]|yes|");
    assert_string_equal(told, "something else, see [redacted:email]|four|");
    assert_string_equal(contract_value("SELECT count(*) FROM chat_messages"), "11");
    contract_client_close(&client);
}

/* Both were saved before the step was there. */
static void redact_reaches_the_summary_and_what_follows(void **state)
{
    (void)state;
    conv_error error;
    conv_summary_page *page = NULL;
    conv_client *client = open_client(0, 10000);
    say(client, "one", nobody);
    assert_ok(conv_summary_make(client, "s", &page, &error), error);
    assert_int_equal(conv_summary_page_count(page), 1);
    conv_summary_page_free(page);
    say(client, "two " ADDRESS, nobody);
    assert_non_null(strstr(told, "write to " ADDRESS));
    contract_client_close(&client);
    client = open_client(2, 10000);
    say(client, "three", nobody);
    assert_non_null(strstr(watched, "write to " ADDRESS));
    assert_null(strstr(watched, "one|"));
    assert_null(strstr(told, ADDRESS));
    assert_non_null(strstr(told, "write to [redacted:email]|two [redacted:email]|yes|three|"));
    contract_client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(steps_see_and_change_the_branch, setup, teardown),
        cmocka_unit_test_setup_teardown(redact_reaches_the_summary_and_what_follows, setup,
                                        teardown),
    };
    return RUN_TESTS("context steps", tests);
}
