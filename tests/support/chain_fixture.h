/* A conversation service with a chain, on a mocked store and a mocked provider. */
#ifndef TESTS_SUPPORT_CHAIN_FIXTURE_H
#define TESTS_SUPPORT_CHAIN_FIXTURE_H

#include "middleware/chain.h"
#include "support/mock_store.h"

enum { CHAIN_STEPS = 8 };

typedef struct chain_fixture {
    mock_store mock;
    conv__saving *saving;
    conv__arena arena;
    conv__conversation service;
    conv_provider provider; /* answers "secret answer", 100 tokens in and 10 out */
    conv_status provider_status;
    int asked;
    char seen[256];                    /* texts that the provider got, '|' between them */
    conv_middleware *own[CHAIN_STEPS]; /* freed by the teardown */
    size_t own_count;
    int announced;
    conv__announcement last;
    conv_error last_error;
} chain_fixture;

/* For each test; *state is the fixture. One at a time. */
int chain_setup(void **state);
int chain_teardown(void **state);

/* A step of the application's own. */
conv_middleware *chain_step(chain_fixture *test, const char *name,
                            conv_middleware_function function, void *context);

/* Sets the chain. */
void chain_use(chain_fixture *test, conv_middleware *const *steps, size_t count);

#define USE(test, ...)                                                                             \
    chain_use(test, (conv_middleware *const[]){__VA_ARGS__},                                       \
              sizeof((conv_middleware *const[]){__VA_ARGS__}) / sizeof(conv_middleware *))

#define VALIDATE conv_middleware_validate_ids()
#define PROVIDER conv_middleware_provider()
#define SAVE     conv_middleware_save_to_database()
#define TRACK    conv_middleware_track_usage()
#define PUBLISH  conv_middleware_publish()

/* One turn of session "test-session": "the question". */
conv_status chain_run_turn(chain_fixture *test, conv_reply **reply, conv_error *error);

/* A step's function that answers "from the cache"; with a context, input_tokens 0 are counted. */
conv_status chain_answer_itself(void *context, conv_call *call, conv_next *next, conv_error *error);

/* Refuses with CONV_PERMISSION, before or "after" (the context) it has called on. */
conv_status chain_refuse(void *context, conv_call *call, conv_next *next, conv_error *error);

#endif
