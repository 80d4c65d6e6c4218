/* A chain with steps around a turn: redacting, a limit for each user, a time limit, and two of the
 * application's own, one that measures and one that refuses. Usage: middleware [STORE] */
#include <conversation/conversation.h>
#include <stdio.h>
#include <string.h>

/* Counts what passes, and where it ended. Called from many threads it would need a lock or atomics.
 */
typedef struct counter {
    int answered;
    int failed;
} counter;

static conv_status count(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    counter *self = context;
    conv_status status = conv_next_run(next, call, error);
    if (status == CONV_OK)
        self->answered++;
    else
        self->failed++;
    return status;
}

/* Refuses before anybody is asked: nothing of the turn is saved. */
static conv_status refuse_shouting(void *context, conv_call *call, conv_next *next,
                                   conv_error *error)
{
    (void)context;
    const conv_turn *turn = conv_call_turn(call);
    for (size_t i = 0; i < turn->message_count; i++) {
        conv_bytes text = turn->messages[i].content;
        if (text.size > 0 && text.data[text.size - 1] == '!') {
            snprintf(error->message, sizeof error->message, "please do not shout");
            return CONV_INVALID_ARGUMENT;
        }
    }
    return conv_next_run(next, call, error);
}

static void say(conv_client *client, const char *text)
{
    conv_error error = CONV_ERROR_INIT;
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    turn.session_id = "support-42";
    turn.user_id = "user-123";
    turn.message = conv_text(text);
    conv_status status = conv_process_message(client, &turn, &reply, &error);
    if (status == CONV_OK)
        printf("saved    %s\n", conv_reply_text(reply));
    else
        printf("refused  %s: %s\n", conv_status_text(status), error.message);
    conv_reply_free(reply);
}

static void print_chain(const conv_client *client)
{
    for (size_t i = 0; i < conv_client_step_count(client); i++)
        printf("%s%s", i == 0 ? "" : " > ", conv_client_step_name(client, i));
    putchar('\n');
}

int main(int argument_count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = argument_count > 1 ? arguments[1] : "sqlite:middleware.db";
    conv_client *client = NULL;
    counter counted = {0, 0};

    /* Besides e-mail addresses, card numbers and keys: this application's order numbers. */
    const conv_redact_pattern pattern = {"order", "ORD-[0-9]{6}"};
    conv_redact_params redact_params = CONV_REDACT_PARAMS_INIT;
    redact_params.patterns = &pattern;
    redact_params.pattern_count = 1;
    conv_rate_limit_params rate_params = CONV_RATE_LIMIT_PARAMS_INIT;
    rate_params.turns = 3;
    rate_params.period_ms = 3600000;

    conv_middleware *measure = NULL, *limit = NULL, *redact = NULL, *polite = NULL, *time = NULL;
    conv_status status = conv_middleware_callback("count", count, &counted, &measure, &error);
    if (status == CONV_OK) status = conv_middleware_rate_limit(&rate_params, &limit, &error);
    if (status == CONV_OK) status = conv_middleware_redact(&redact_params, &redact, &error);
    if (status == CONV_OK)
        status = conv_middleware_callback("polite", refuse_shouting, NULL, &polite, &error);
    if (status == CONV_OK) status = conv_middleware_time_limit(30000, &time, &error);
    if (status == CONV_OK) status = conv_provider_echo(&params.provider, &error);

    conv_middleware *const chain[] = {measure,
                                      limit,
                                      redact,
                                      conv_middleware_validate_ids(),
                                      polite,
                                      time,
                                      conv_middleware_provider(),
                                      conv_middleware_save_to_database(),
                                      conv_middleware_track_usage(),
                                      conv_middleware_publish()};
    params.chain = chain;
    params.chain_count = sizeof chain / sizeof chain[0];
    if (status == CONV_OK) status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) {
        print_chain(client);
        say(client, "Where is ORD-123456? Write to ann@example.org");
        say(client, "Now!");
        say(client, "Please.");
        say(client, "And?"); /* the fourth turn within the hour */
        printf("%d answered, %d not\n", counted.answered, counted.failed);
    } else {
        fprintf(stderr, "%s: %s\n", error.action, error.message);
    }

    /* The client first: it uses the provider and the steps. */
    conv_client_close(client, 5000, NULL);
    conv_provider_free(params.provider);
    conv_middleware_free(measure);
    conv_middleware_free(limit);
    conv_middleware_free(redact);
    conv_middleware_free(polite);
    conv_middleware_free(time);
    return status == CONV_OK ? 0 : 1;
}
