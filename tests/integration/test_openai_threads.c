/* One OpenAI provider, asked from many threads at once. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "providers/response.h"
#include "support/ask.h"
#include "support/http_server.h"
#include "support/test.h"

enum { THREADS = 16, CALLS = 25 };

#define BODY "{\"choices\":[{\"message\":{\"content\":\"Hi!\"},\"finish_reason\":\"stop\"}]}"
#define GOOD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 66\r\n\r\n" BODY

/* No assertions here: they belong on the main thread. */
typedef struct crowd {
    conv_provider *openai;
    atomic_int good;
} crowd;

static void *ask_often(void *context)
{
    crowd *all = context;
    for (int i = 0; i < CALLS; i++) {
        conv_provider_request request = ask_request(i % 2 == 0);
        asked made = {0};
        ask(&made, all->openai, &request);
        if (made.status == CONV_OK && made.count == 1 &&
            conv_bytes_equal(made.messages[0].content, conv_text("Hi!")) &&
            made.deltas == (i % 2 == 0))
            atomic_fetch_add(&all->good, 1);
        asked_free(&made);
    }
    return NULL;
}

static void many_threads_share_a_provider(void **state)
{
    (void)state;
    const http_reply reply = {.bytes = GOOD};
    http_server *server = http_server_start(&reply, 1);
    crowd all = {.openai = ask_openai(http_server_url(server), -1)};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &all), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&all.good), THREADS * CALLS);
    assert_int_equal(http_server_requests(server), THREADS * CALLS);
    assert_true(http_server_connections(server) <= THREADS);
    conv_provider_free(all.openai);
    http_server_stop(server);
}

int main(void)
{
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_share_a_provider),
    };
    return RUN_TESTS("openai_threads", tests);
}
