/* Summaries through the public API, on either store: when they are made, what a turn is told with
 * one, what they cost, and that their failure harms no turn. */
#include "support/test.h"

#include <pthread.h>
#include <time.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

static conv_provider *witness;

/* What the provider was told last by a turn, and how it answers requests for summaries. Guarded,
 * because those come on a thread of their own. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char told[4096];
static char summarized[8192];
static const char *summary_answer;
static bool held; /* requests for summaries wait */
static int summaries_asked;

static void write_down(const conv_provider_request *request, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < request->message_count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%.*s", i > 0 ? "|" : "",
                 (int)request->messages[i].content.size, request->messages[i].content.data);
    }
}

static conv_status say_text(conv_provider_response *response, const char *text)
{
    const conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text(text)};
    conv_usage usage = CONV_USAGE_INIT;
    usage.input_tokens = 100;
    usage.output_tokens = 10;
    conv_status status = conv_provider_response_usage(response, &usage);
    return status == CONV_OK ? conv_provider_response_message(response, &message) : status;
}

static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)context;
    const conv_bytes first = request->messages[0].content;
    bool summary = first.size > 13 && memcmp(first.data, "You summarize", 13) == 0;
    pthread_mutex_lock(&lock);
    if (!summary) {
        write_down(request, told, sizeof told);
        pthread_mutex_unlock(&lock);
        return say_text(response, "an answer of a few words");
    }
    summaries_asked++;
    pthread_cond_broadcast(&changed);
    while (held) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec = (until.tv_nsec + 20000000) % 1000000000;
        if (until.tv_nsec < 20000000) until.tv_sec++;
        pthread_cond_timedwait(&changed, &lock, &until);
        if (conv_provider_response_wanted(response) != CONV_OK) {
            pthread_mutex_unlock(&lock);
            return CONV_CANCELLED;
        }
    }
    write_down(request, summarized, sizeof summarized);
    const char *text = summary_answer;
    pthread_mutex_unlock(&lock);
    if (text != NULL) return say_text(response, text);
    *error = (conv_error){.status = CONV_PROVIDER};
    snprintf(error->message, sizeof error->message, "no summary today");
    return CONV_PROVIDER;
}

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    assert_ok(conv_provider_callback("witness", answer, NULL, &witness, &error), error);
    return 0;
}

static int teardown(void **state)
{
    conv_provider_free(witness);
    return contract_client_teardown(state);
}

static conv_client *open_client(int64_t context_tokens, int64_t summary_tokens)
{
    conv_client_params params = contract_client_params();
    const conv_price price = {.model = "m", .input = "1", .output = "1"};
    params.provider = witness;
    params.model = "m";
    params.prices = &price;
    params.price_count = 1;
    params.context_tokens = context_tokens;
    params.summary_tokens = summary_tokens;
    conv_client *client = contract_client_open(&params);
    pthread_mutex_lock(&lock);
    summary_answer = "{\"summary\": \"they talked\", \"key_points\": [\"order 4711\", 7]}";
    summaries_asked = 0;
    pthread_mutex_unlock(&lock);
    return client;
}

static void answer_with(const char *text)
{
    pthread_mutex_lock(&lock);
    summary_answer = text;
    pthread_mutex_unlock(&lock);
}

static void say(conv_client *client, const char *session, const char *text)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    turn.session_id = session;
    turn.user_id = "user-1";
    turn.message = conv_text(text);
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
}

/* Until nothing is asked for or under way. */
static conv_summary_counts settled(conv_client *client)
{
    conv_summary_counts counts;
    conv_error error;
    const struct timespec pause = {0, 5000000};
    do {
        assert_ok(conv_summary_count(client, &counts, &error), error);
        if (counts.waiting > 0) nanosleep(&pause, NULL);
    } while (counts.waiting > 0);
    return counts;
}

static void tell_has(const char *text)
{
    if (strstr(told, text) == NULL) fail_msg("no \"%s\" in: %s", text, told);
}

static void tell_lacks(const char *text)
{
    if (strstr(told, text) != NULL) fail_msg("\"%s\" in: %s", text, told);
}

static void a_long_session_gets_a_summary_and_goes_on_with_it(void **state)
{
    (void)state;
    conv_client *client = open_client(0, 60);
    char text[128];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "question number %d with enough words to be of some size", i);
        say(client, "long", text);
    }
    conv_summary_counts counts = settled(client);
    assert_true(counts.made >= 1);
    assert_int_equal(counts.failed, 0);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_sessions_summary"), counts.made);
    say(client, "long", "and now?");
    tell_has("Summary of the conversation so far:\nthey talked\n- order 4711|");
    tell_has("|and now?");
    tell_lacks("question number 0");
    settled(client);

    conv_summary_page *page = NULL;
    conv_error error;
    conv_summary_filter filter = CONV_SUMMARY_FILTER_INIT;
    filter.session_id = "long";
    assert_ok(conv_summary_list(client, &filter, &page, &error), error);
    const conv_summary *summary = conv_summary_page_summary(page, 0);
    assert_non_null(summary);
    assert_bytes(summary->text, "they talked");
    assert_bytes(summary->key_points, "[\"order 4711\"]");
    assert_bytes(summary->external_id, "long");
    assert_bytes(summary->model, "m");
    assert_true(summary->last_position >= 2);
    conv_summary_page_free(page);
    contract_client_close(&client);
}

static void what_it_cost_is_in_the_ledger(void **state)
{
    (void)state;
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE service = 'summary'"),
                     contract_count("SELECT count(*) FROM chat_sessions_summary"));
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs l JOIN chat_sessions_summary s"
                                    " ON s.log_id = l.log_id AND s.session_id = l.session_id"
                                    " WHERE l.operation = 'summarize' AND l.status = 'complete'"
                                    " AND l.total_tokens = 110 AND l.user_id IS NOT NULL"
                                    " AND l.cost_usd IS NOT NULL"),
                     contract_count("SELECT count(*) FROM chat_sessions_summary"));
    assert_int_equal(
        contract_count("SELECT message_count FROM chat_sessions WHERE external_id = 'long'"), 8);
}

static void a_context_keeps_to_its_tokens(void **state)
{
    (void)state;
    conv_client *client = open_client(50, 0);
    conv_message system = {.role = CONV_ROLE_SYSTEM, .content = conv_text("be kind")};
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    turn.session_id = "limited";
    turn.messages = &system;
    turn.message_count = 1;
    turn.message = conv_text("first question, which is a little longer than the others are");
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
    say(client, "limited", "second");
    say(client, "limited", "third");
    say(client, "limited", "fourth");
    /* A tenth of the limit is the system message, an exchange takes some 16 tokens. */
    tell_has("be kind|");
    tell_lacks("first question");
    tell_has("|second|an answer of a few words|third|an answer of a few words|fourth");
    contract_client_close(&client);
    client = open_client(1, 0);
    say(client, "limited", "fifth");
    assert_string_equal(told, "be kind|fifth");
    contract_client_close(&client);
    client = open_client(0, 0);
    say(client, "limited", "sixth");
    tell_has("first question");
    conv_summary_counts counts = settled(client);
    assert_int_equal(counts.made + counts.failed + counts.dropped, 0);
    contract_client_close(&client);
}

static void one_can_be_made_at_any_time(void **state)
{
    (void)state;
    conv_client *client = open_client(0, 0);
    conv_summary_page *page = NULL;
    conv_error error;
    say(client, "made", "what about \xFF order 4711?");
    pthread_mutex_lock(&lock);
    summary_answer = "```json\n{\"summary\": \"a \\u0000 b\", \"key_points\": []}\n```";
    pthread_mutex_unlock(&lock);
    assert_ok(conv_summary_make(client, "made", &page, &error), error);
    assert_int_equal(conv_summary_page_count(page), 1);
    assert_int_equal(conv_summary_page_summary(page, 0)->last_position, 2);
    assert_int_equal(conv_summary_page_summary(page, 0)->text.size, 5);
    assert_null(conv_summary_page_summary(page, 0)->key_points.data);
    conv_summary_page_free(page);
    assert_non_null(strstr(summarized, "user: what about"));
    assert_ok(conv_summary_make(client, "made", &page, &error), error);
    assert_int_equal(conv_summary_page_count(page), 0); /* nothing new */
    conv_summary_page_free(page);
    say(client, "made", "and 4712?");
    pthread_mutex_lock(&lock);
    summary_answer = "no JSON, but a summary";
    pthread_mutex_unlock(&lock);
    assert_ok(conv_summary_make(client, "made", &page, &error), error);
    assert_bytes(conv_summary_page_summary(page, 0)->text, "no JSON, but a summary");
    conv_summary_page_free(page);
    assert_non_null(strstr(summarized, "Summary of what was said before: a "));
    assert_null(strstr(summarized, "order 4711"));
    conv_summary_filter filter = CONV_SUMMARY_FILTER_INIT;
    filter.session_id = "made";
    filter.limit = 1;
    assert_ok(conv_summary_list(client, &filter, &page, &error), error);
    assert_int_equal(conv_summary_page_count(page), 1);
    assert_true(conv_summary_page_has_more(page));
    filter.after_us = conv_summary_page_summary(page, 0)->created_us;
    filter.after_id = conv_summary_page_summary(page, 0)->summary_id;
    conv_summary_page_free(page);
    assert_ok(conv_summary_list(client, &filter, &page, &error), error);
    assert_int_equal(conv_summary_page_count(page), 1);
    assert_int_equal(conv_summary_page_summary(page, 0)->text.size, 5);
    assert_memory_equal(conv_summary_page_summary(page, 0)->text.data, "a \0 b", 5);
    assert_false(conv_summary_page_has_more(page));
    conv_summary_page_free(page);
    assert_status(conv_summary_make(client, "no such session", &page, &error), CONV_NOT_FOUND,
                  error);
    assert_status(conv_summary_make(client, NULL, &page, &error), CONV_INVALID_ARGUMENT, error);
    contract_client_close(&client);
}

static void a_long_summary_is_cut_to_the_limit(void **state)
{
    (void)state;
    enum { TOKENS = 40, OF_MESSAGE = 4, BYTES_OF_TOKEN = 4 };
    char text[401];
    conv_client *client = open_client(0, 0);
    conv_summary_page *page = NULL;
    conv_error error;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    say(client, "wordy", "one");
    answer_with(text);
    assert_ok(conv_summary_make(client, "wordy", &page, &error), error);
    conv_summary_page_free(page);
    contract_client_close(&client);
    client = open_client(TOKENS, 0);
    say(client, "wordy", "two");
    tell_has("Summary of the conversation so far:\naaaa");
    tell_has("…|two");
    assert_int_equal(strlen(told), (TOKENS - OF_MESSAGE) * BYTES_OF_TOKEN + strlen("|two"));
    contract_client_close(&client);
    client = open_client(20, 0);
    say(client, "wordy", "three"); /* of the summary nothing but its heading would be left */
    assert_string_equal(told, "two|an answer of a few words|three");
    contract_client_close(&client);
}

/* Messages behind the latest summary. */
static long uncovered(const char *session)
{
    return contract_count(
        "SELECT count(*) FROM chat_messages m JOIN chat_sessions s USING (session_id)"
        " WHERE s.external_id = '%s' AND m.position > (SELECT coalesce(max(y.last_position), 0)"
        " FROM chat_sessions_summary y WHERE y.session_id = m.session_id)",
        session);
}

/* Else such a context has messages that are in neither. */
static void summaries_keep_up_with_a_small_context(void **state)
{
    (void)state;
    enum { TURNS = 12 };
    char text[401];
    conv_client *client = open_client(60, 40);
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    answer_with(text); /* alone more than the context holds */
    for (int i = 0; i < TURNS; i++) {
        say(client, "narrow", "a question with enough words to be of some size, too");
        settled(client);
    }
    assert_int_equal(uncovered("narrow"), 0);
    contract_client_close(&client);
}

static void a_session_that_is_far_behind_is_caught_up_with_after_one_turn(void **state)
{
    (void)state;
    enum { TURNS = 20, TOKENS_OF_TURN = 500 };
    char text[TOKENS_OF_TURN * 4 + 1];
    conv_client *client = open_client(100, 0);
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < TURNS; i++)
        say(client, "behind", text);
    assert_int_equal(uncovered("behind"), 2 * TURNS);
    contract_client_close(&client);
    client = open_client(100, 60);
    say(client, "behind", "and now?");
    conv_summary_counts counts = settled(client);
    assert_int_equal(counts.made, 3); /* of 4,000 tokens each */
    assert_int_equal(counts.failed, 0);
    assert_int_equal(uncovered("behind"), 2);
    contract_client_close(&client);
}

static void a_failure_harms_no_turn(void **state)
{
    (void)state;
    conv_client *client = open_client(0, 1);
    long before = contract_count("SELECT count(*) FROM chat_sessions_summary");
    answer_with(NULL);
    say(client, "unlucky", "one");
    say(client, "unlucky", "two");
    conv_summary_counts counts = settled(client);
    assert_int_equal(counts.made, 0);
    assert_int_equal(counts.failed, 1);
    say(client, "unlucky", "three"); /* asks for nothing so soon after a failure */
    counts = settled(client);
    assert_int_equal(counts.failed, 1);
    assert_true(counts.dropped >= 1);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_sessions_summary"), before);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE service = 'summary'"
                                    " AND status = 'failed' AND error = 'no summary today'"),
                     1);
    contract_client_close(&client);
}

static void a_session_that_fails_rests_alone(void **state)
{
    (void)state;
    conv_client *client = open_client(0, 1);
    answer_with(NULL);
    say(client, "ill", "one");
    assert_int_equal(settled(client).failed, 1);
    answer_with("they talked");
    say(client, "well", "one");
    assert_int_equal(settled(client).made, 1);
    say(client, "ill", "two");
    conv_summary_counts counts = settled(client);
    assert_int_equal(counts.made, 1);
    assert_int_equal(counts.failed, 1);
    assert_int_equal(counts.dropped, 1);
    contract_client_close(&client);
}

/* That is nothing about what is in them. */
static void all_rest_when_several_have_failed(void **state)
{
    (void)state;
    conv_client *client = open_client(0, 1);
    const char *const sessions[] = {"first", "second", "third"};
    answer_with(NULL);
    for (int i = 0; i < 3; i++) {
        say(client, sessions[i], "one");
        assert_int_equal(settled(client).failed, i + 1);
    }
    answer_with("they talked");
    say(client, "fourth", "one");
    conv_summary_counts counts = settled(client);
    assert_int_equal(counts.made, 0);
    assert_int_equal(counts.failed, 3);
    assert_int_equal(counts.dropped, 1);
    contract_client_close(&client);
}

/* A provider that takes its time with a summary: turns go on, and so does the end. */
static void no_turn_waits_and_no_close_does(void **state)
{
    (void)state;
    conv_client *client = open_client(0, 1);
    pthread_mutex_lock(&lock);
    held = true;
    pthread_mutex_unlock(&lock);
    say(client, "slow", "one");
    pthread_mutex_lock(&lock);
    while (summaries_asked == 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    say(client, "slow", "two");
    conv_summary_counts counts;
    conv_error error;
    assert_ok(conv_summary_count(client, &counts, &error), error);
    assert_int_equal(counts.made + counts.failed, 0);
    assert_int_equal(counts.waiting, 2); /* the second turn's waits behind the first one's */
    contract_client_close(&client);
    pthread_mutex_lock(&lock);
    held = false;
    pthread_mutex_unlock(&lock);
    assert_int_equal(
        contract_count("SELECT message_count FROM chat_sessions WHERE external_id = 'slow'"), 4);
}

static void a_branch_has_a_summary_of_its_own(void **state)
{
    (void)state;
    conv_client *client = open_client(0, 0);
    conv_summary_page *page = NULL;
    conv_error error;
    say(client, "branch", "a");
    say(client, "branch", "b");
    assert_ok(conv_summary_make(client, "branch", &page, &error), error);
    conv_summary_page_free(page);
    contract_client_close(&client);
    client = open_client(1000, 0);
    say(client, "branch", "c");
    assert_string_equal(told, "Summary of the conversation so far:\nthey talked\n- order 4711|c");
    /* Before what the summary ends with: it is of another branch. */
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    conv_history *history = NULL;
    params.session_id = "branch";
    assert_ok(conv_history_read(client, &params, &history, &error), error);
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    turn.session_id = "branch";
    turn.message = conv_text("b2");
    turn.instead_of = conv_history_message(history, 2)->message_id;
    conv_history_free(history);
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
    assert_string_equal(told, "a|an answer of a few words|b2");
    conv_delete_receipt receipt;
    assert_ok(conv_session_delete(client, "branch", &receipt, &error), error);
    assert_int_equal(receipt.summaries, 1);
    contract_client_close(&client);
}

static void they_want_a_provider(void **state)
{
    (void)state;
    conv_error error;
    conv_client *client = NULL;
    conv_client_params params = contract_client_params();
    params.summary_tokens = 1000;
    assert_status(conv_client_open(&params, &client, &error), CONV_INVALID_ARGUMENT, error);
    assert_null(client);
    assert_non_null(strstr(error.message, "no provider"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_session_gets_a_summary_and_goes_on_with_it),
        cmocka_unit_test(what_it_cost_is_in_the_ledger),
        cmocka_unit_test(a_context_keeps_to_its_tokens),
        cmocka_unit_test(one_can_be_made_at_any_time),
        cmocka_unit_test(a_long_summary_is_cut_to_the_limit),
        cmocka_unit_test(summaries_keep_up_with_a_small_context),
        cmocka_unit_test(a_session_that_is_far_behind_is_caught_up_with_after_one_turn),
        cmocka_unit_test(a_failure_harms_no_turn),
        cmocka_unit_test(a_session_that_fails_rests_alone),
        cmocka_unit_test(all_rest_when_several_have_failed),
        cmocka_unit_test(no_turn_waits_and_no_close_does),
        cmocka_unit_test(a_branch_has_a_summary_of_its_own),
        cmocka_unit_test(they_want_a_provider),
    };
    return RUN_TESTS_WITH("summaries", tests, setup, teardown);
}
