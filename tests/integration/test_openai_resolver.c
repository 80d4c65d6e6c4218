/* A name server that does not answer holds no call beyond its limits. libcurl finds this program's
 * getaddrinfo instead of the system's. */
#include <netdb.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "support/ask.h"
#include "support/test.h"

static sem_t answer;
static sem_t asleep;
static atomic_int answered;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    (void)node;
    (void)service;
    (void)hints;
    *result = NULL;
    sem_post(&asleep);
    while (sem_wait(&answer) != 0) {
    }
    atomic_fetch_add(&answered, 1);
    return EAI_AGAIN;
}

static void ask_nowhere(int64_t timeout_ms, int64_t connect_timeout_ms, conv_status status,
                        const char *words)
{
    conv_error error = CONV_ERROR_INIT;
    conv_provider *openai = NULL;
    conv_openai_params params = CONV_OPENAI_PARAMS_INIT;
    params.base_url = "http://slow.example/v1";
    params.api_key = "";
    params.model = "m";
    params.max_retries = -1;
    params.connect_timeout_ms = connect_timeout_ms;
    assert_ok(conv_provider_openai(&params, &openai, &error), error);
    conv_provider_request request = ask_request(false);
    request.timeout_ms = timeout_ms;
    asked made = {0};
    ask(&made, openai, &request);
    /* The call is back while the resolver still sleeps. */
    assert_int_equal(atomic_load(&answered), 0);
    assert_status(made.status, status, made.error);
    if (strstr(made.error.message, words) == NULL) fail_msg("%s", made.error.message);
    asked_free(&made);
    conv_provider_free(openai);
}

static void resolver_that_hangs_holds_no_call(void **state)
{
    (void)state;
    assert_int_equal(sem_init(&answer, 0, 0), 0);
    assert_int_equal(sem_init(&asleep, 0, 0), 0);
    ask_nowhere(100, 0, CONV_TIMEOUT, "slow.example did not answer in time");
    ask_nowhere(20000, 100, CONV_UNAVAILABLE, "connecting took too long");
    /* Its threads end before the program does. */
    for (int i = 0; i < 2; i++)
        sem_wait(&asleep);
    for (int i = 0; i < 2; i++)
        sem_post(&answer);
    while (atomic_load(&answered) < 2)
        sched_yield();
}

int main(void)
{
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolver_that_hangs_holds_no_call),
    };
    return RUN_TESTS("openai_resolver", tests);
}
