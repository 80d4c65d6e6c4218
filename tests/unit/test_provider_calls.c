/* Asking providers and what is remembered of it: what counts as an answer, as a failure or as
 * neither, and that providers don't hide each other. */
#include "support/test.h"

#include <stdlib.h>

#include "core/error.h"
#include "monitoring/provider_health.h"
#include "providers/response.h"
#include "services/provider_calls.h"

typedef struct fake_provider {
    conv_provider base;
    conv_provider_functions functions;
    conv_status status;
    const char *why;    /* NULL: it leaves the error empty */
    bool endless;       /* it fills the error to the last byte */
    const char *answer; /* NULL: it says nothing */
    const char *finish;
} fake_provider;

static conv__provider_calls *calls;
static fake_provider fake;

static conv_status complete(conv_provider *provider, const conv_provider_request *request,
                            conv_provider_response *response, conv_error *error)
{
    const fake_provider *self = (const fake_provider *)provider;
    (void)request;
    if (self->answer != NULL)
        assert_int_equal(conv_provider_response_delta(response, conv_text(self->answer)), CONV_OK);
    if (self->finish != NULL)
        assert_int_equal(
            conv_provider_response_model(response, conv_text(NULL), conv_text(self->finish)),
            CONV_OK);
    if (self->status != CONV_OK && self->why != NULL)
        snprintf(error->message, sizeof error->message, "%s", self->why);
    if (self->endless) {
        memset(error->message, 'x', sizeof error->message);
        memset(error->action, 'y', sizeof error->action);
    }
    return self->status;
}

static void make_fake(const char *name)
{
    fake = (fake_provider){.functions = {name, complete, NULL}, .answer = "yes"};
    fake.base.functions = &fake.functions;
}

/* Any text with the word in it. */
static conv_status redact_secret(const void *context, conv__arena *arena, conv_bytes *text)
{
    const char *word = context;
    if (memmem(text->data, text->size, word, strlen(word)) == NULL) return CONV_OK;
    return conv__arena_copy(arena, conv_text("[redacted]"), text);
}

static int setup(void **state)
{
    (void)state;
    const conv__redaction redaction = {redact_secret, "secret"};
    calls = conv__provider_calls_create(&redaction);
    make_fake("first");
    return calls == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    conv__provider_calls_free(calls);
    return 0;
}

static conv_status ask_with(conv__provider_calls *used, conv_error *error)
{
    int64_t latency_us = -1;
    conv_provider_response *response = NULL;
    const conv_provider_request request = {.size = sizeof request, .timeout_ms = 1000};
    *error = (conv_error)CONV_ERROR_INIT;
    assert_int_equal(conv__provider_response_create(NULL, NULL, &response), CONV_OK);
    conv_status status =
        conv__provider_calls_ask(used, &fake.base, &request, response, &latency_us, error);
    conv__provider_response_free(response);
    assert_true(latency_us >= 0);
    return status;
}

static void ask(conv_status status)
{
    conv_error error;
    fake.status = status;
    assert_int_equal(ask_with(calls, &error), status);
}

static conv__provider_record worst(size_t asked)
{
    conv__provider_record record = {.calls = -1};
    assert_int_equal(conv__provider_calls_worst(calls, &record), asked);
    return record;
}

static conv_health_state judge(bool configured, char message[CONV_MESSAGE_SIZE])
{
    conv__provider_gauges gauges = {0};
    gauges.asked = conv__provider_calls_worst(calls, &gauges.worst);
    return conv__provider_health(&gauges, configured, message);
}

static void before_the_first_call_nothing_is_known(void **state)
{
    (void)state;
    char message[CONV_MESSAGE_SIZE];
    assert_int_equal(worst(0).calls, -1);
    assert_int_equal(judge(true, message), CONV_HEALTH_OK);
    assert_string_equal(message, "configured; nobody was asked yet");
    assert_int_equal(judge(false, message), CONV_HEALTH_UNKNOWN);
    assert_string_equal(message, "none is configured: each turn brings its own");
}

static void failures_count_until_the_next_answer(void **state)
{
    (void)state;
    static const conv_status failures[] = {CONV_PROVIDER, CONV_UNAVAILABLE, CONV_TIMEOUT};
    char message[CONV_MESSAGE_SIZE];
    ask(CONV_OK);
    fake.why = "HTTP 503";
    for (int i = 0; i < 3; i++) {
        assert_int_equal(judge(false, message), CONV_HEALTH_OK);
        ask(failures[i]);
    }
    conv__provider_record record = worst(1);
    assert_string_equal(record.name, "first");
    assert_int_equal(record.calls, 4);
    assert_int_equal(record.failures, 3);
    assert_int_equal(record.failures_in_row, 3);
    assert_true(record.answered_us > 0 && record.failed_us >= record.answered_us);
    assert_int_equal(record.failure.status, CONV_TIMEOUT);
    assert_int_equal(judge(false, message), CONV_HEALTH_DEGRADED);
    assert_non_null(strstr(message, "first: 4 calls, 3 failed, the last 3 in a row; last answer"));
    assert_non_null(strstr(message, "Z: timeout: HTTP 503"));
    ask(CONV_OK);
    assert_int_equal(judge(false, message), CONV_HEALTH_OK);
    assert_int_equal(worst(1).failures_in_row, 0);
    assert_int_equal(worst(1).failures, 3);
}

static void what_is_not_the_providers_doing_is_neither(void **state)
{
    (void)state;
    ask(CONV_UNAVAILABLE);
    ask(CONV_CANCELLED);
    ask(CONV_INVALID_ARGUMENT);
    ask(CONV_NO_MEMORY);
    conv__provider_record record = worst(1);
    assert_int_equal(record.calls, 4);
    assert_int_equal(record.failures, 1);
    assert_int_equal(record.failures_in_row, 1);
    assert_int_equal(record.failure.status, CONV_UNAVAILABLE);
}

static void silence_is_a_failure_unless_it_is_meant(void **state)
{
    (void)state;
    conv_error error;
    fake.answer = NULL;
    assert_int_equal(ask_with(calls, &error), CONV_PROVIDER);
    assert_int_equal(error.status, CONV_PROVIDER);
    assert_string_equal(error.message, "the provider answered without any message");
    assert_int_equal(worst(1).failures_in_row, 1);
    fake.finish = "stop";
    assert_int_equal(ask_with(calls, &error), CONV_OK);
    assert_int_equal(worst(1).failures_in_row, 0);
}

static void an_error_is_whole_and_one_line(void **state)
{
    (void)state;
    conv_error error;
    fake.status = CONV_UNAVAILABLE;
    assert_int_equal(ask_with(NULL, &error), CONV_UNAVAILABLE); /* nobody remembers */
    assert_int_equal(error.status, CONV_UNAVAILABLE);
    assert_string_equal(error.message, conv_status_text(CONV_UNAVAILABLE));
    fake.why = "broken\r\nin\033[2Jtwo";
    assert_int_equal(ask_with(calls, &error), CONV_UNAVAILABLE);
    assert_string_equal(worst(1).failure.message, "broken  in [2Jtwo");
}

static void an_error_is_redacted_before_anybody_keeps_it(void **state)
{
    (void)state;
    conv_error error;
    fake.status = CONV_PROVIDER;
    fake.why = "bad input near: secret";
    assert_int_equal(ask_with(calls, &error), CONV_PROVIDER);
    assert_string_equal(error.message, "[redacted]");
    assert_string_equal(worst(1).failure.message, "[redacted]");
}

static void one_that_works_does_not_hide_one_that_fails(void **state)
{
    (void)state;
    char message[CONV_MESSAGE_SIZE];
    for (int i = 0; i < 3; i++) {
        make_fake("second");
        ask(CONV_PROVIDER);
        make_fake("first");
        ask(CONV_OK);
        ask(CONV_OK);
    }
    assert_string_equal(worst(2).name, "second");
    assert_int_equal(judge(true, message), CONV_HEALTH_DEGRADED);
    assert_non_null(strstr(message, "second: 3 calls"));
    assert_non_null(strstr(message, "; no answer yet; 2 providers were asked; last failure at "));
    make_fake("second");
    ask(CONV_OK);
    assert_string_equal(worst(2).name, "first"); /* it has the most calls */
    assert_int_equal(judge(true, message), CONV_HEALTH_OK);
}

static void a_failed_check_is_enough_until_the_next_answer(void **state)
{
    (void)state;
    char message[CONV_MESSAGE_SIZE];
    ask(CONV_OK);
    conv__provider_calls_suspect(calls, &fake.base); /* it has answered since */
    assert_int_equal(judge(true, message), CONV_HEALTH_OK);
    ask(CONV_TIMEOUT);
    conv__provider_calls_suspect(calls, &fake.base);
    assert_int_equal(judge(true, message), CONV_HEALTH_DEGRADED);
    make_fake("second");
    ask(CONV_TIMEOUT);
    ask(CONV_TIMEOUT);
    assert_string_equal(worst(2).name, "first"); /* fewer failures, but a failed check */
    make_fake("first");
    ask(CONV_OK);
    assert_int_equal(judge(true, message), CONV_HEALTH_OK);
}

static void more_than_can_be_told_apart_share_a_record(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < CONV__PROVIDERS + 5; i++) {
        snprintf(name, sizeof name, "number %d", i);
        make_fake(name);
        ask(i < CONV__PROVIDERS - 1 ? CONV_OK : CONV_PROVIDER);
    }
    conv__provider_record record = worst(CONV__PROVIDERS);
    assert_string_equal(record.name, "others");
    assert_int_equal(record.calls, 6);
    assert_int_equal(record.failures_in_row, 6);
    make_fake(NULL);
    ask(CONV_OK);
    assert_int_equal(worst(CONV__PROVIDERS).failures_in_row, 0);
}

static void a_long_story_fits(void **state)
{
    (void)state;
    static char name[200];
    static char why[CONV_MESSAGE_SIZE];
    char message[CONV_MESSAGE_SIZE];
    memset(name, 'n', sizeof name - 1);
    memset(why, 'w', sizeof why - 1);
    make_fake(name);
    fake.why = why;
    ask(CONV_PROVIDER);
    ask(CONV_PROVIDER);
    assert_int_equal(worst(1).failures_in_row, 2);
    assert_int_equal(judge(true, message), CONV_HEALTH_OK);
    assert_int_equal(strlen(message), CONV_MESSAGE_SIZE - 1);
    assert_non_null(strstr(message, "n: 2 calls, 2 failed, the last 2 in a row; "));
}

static void an_error_without_an_end_gets_one(void **state)
{
    (void)state;
    conv_error error;
    fake.status = CONV_PROVIDER;
    fake.endless = true;
    assert_int_equal(ask_with(calls, &error), CONV_PROVIDER);
    assert_int_equal(strnlen(error.message, sizeof error.message), sizeof error.message - 1);
    assert_int_equal(strnlen(error.action, sizeof error.action), sizeof error.action - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(before_the_first_call_nothing_is_known),
        TEST(failures_count_until_the_next_answer),
        TEST(what_is_not_the_providers_doing_is_neither),
        TEST(silence_is_a_failure_unless_it_is_meant),
        TEST(an_error_is_whole_and_one_line),
        TEST(an_error_is_redacted_before_anybody_keeps_it),
        TEST(one_that_works_does_not_hide_one_that_fails),
        TEST(a_failed_check_is_enough_until_the_next_answer),
        TEST(more_than_can_be_told_apart_share_a_record),
        TEST(a_long_story_fits),
        TEST(an_error_without_an_end_gets_one),
    };
    return RUN_TESTS("provider calls", tests);
}
