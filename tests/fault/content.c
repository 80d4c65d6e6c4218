/* See content.h. */
#include "fault/content.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_SIZE = 96 };

uint64_t fault_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Where the random part of a turn's content begins. */
static uint64_t state_of(const fault_turn *turn)
{
    uint64_t state = turn->session;
    state = fault_random(&state) ^ turn->turn;
    state = fault_random(&state) ^ turn->variant;
    return fault_random(&state);
}

void fault_session_id(uint64_t session, char id[FAULT_ID_SIZE])
{
    snprintf(id, FAULT_ID_SIZE, "fault-%" PRIu64, session);
}

void fault_turn_id(uint64_t turn, char id[FAULT_ID_SIZE])
{
    snprintf(id, FAULT_ID_SIZE, "turn-%" PRIu64, turn);
}

conv_uuid fault_log_id(const fault_turn *turn)
{
    char name[HEAD_SIZE];
    snprintf(name, sizeof name, "log-%" PRIu64 "-%" PRIu64, turn->session, turn->turn);
    return conv_uuid_ensure(conv_text(name));
}

char *fault_text(const fault_turn *turn, bool reply)
{
    char *text = malloc(turn->bytes + (size_t)HEAD_SIZE);
    if (text == NULL) abort();
    size_t size =
        (size_t)snprintf(text, HEAD_SIZE, "s%" PRIu64 " t%" PRIu64 " v%u b%u %s", turn->session,
                         turn->turn, turn->variant, turn->bytes, reply ? "reply " : "question ");
    uint64_t state = state_of(turn) ^ reply;
    while (size < turn->bytes)
        text[size++] = (char)('a' + fault_random(&state) % 26);
    text[size] = '\0';
    return text;
}

bool fault_read_text(const char *text, fault_turn *turn, bool *reply)
{
    char kind[10];
    if (sscanf(text, "s%" SCNu64 " t%" SCNu64 " v%" SCNu32 " b%" SCNu32 " %9[a-z]", &turn->session,
               &turn->turn, &turn->variant, &turn->bytes, kind) != 5)
        return false;
    *reply = strcmp(kind, "reply") == 0;
    return true;
}

conv_usage fault_usage(const fault_turn *turn)
{
    uint64_t state = state_of(turn) ^ UINT64_C(0x75736167);
    conv_usage usage = CONV_USAGE_INIT;
    usage.input_tokens = (int64_t)(fault_random(&state) % 10000);
    usage.output_tokens = (int64_t)(fault_random(&state) % 10000);
    usage.total_tokens = usage.input_tokens + usage.output_tokens;
    usage.cost_usd = (conv_decimal){.low = fault_random(&state) % 1000000007, .scale = 9};
    usage.priced = true;
    return usage;
}

static _Atomic(void (*)(const fault_turn *turn)) watching;

void fault_watch_questions(void (*watch)(const fault_turn *turn))
{
    atomic_store(&watching, watch);
}

static atomic_bool held;
static atomic_int questions; /* asked while answers are held */

void fault_hold_answers(bool hold)
{
    atomic_store(&questions, 0);
    atomic_store(&held, hold);
}

void fault_await_question(void)
{
    while (atomic_load(&questions) == 0)
        usleep(1000);
}

static void wait_while_held(void)
{
    if (!atomic_load(&held)) return;
    atomic_fetch_add(&questions, 1);
    while (atomic_load(&held))
        usleep(1000);
}

static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)context;
    (void)error;
    fault_turn turn;
    bool reply = false;
    const conv_message *last = &request->messages[request->message_count - 1];
    if (!fault_read_text(last->content.data, &turn, &reply) || reply) return CONV_PROVIDER;
    void (*watch)(const fault_turn *) = atomic_load(&watching);
    if (watch != NULL) watch(&turn);
    wait_while_held();
    char *text = fault_text(&turn, true);
    conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text(text)};
    conv_usage usage = fault_usage(&turn);
    conv_status status = conv_provider_response_message(response, &message);
    if (status == CONV_OK) status = conv_provider_response_usage(response, &usage);
    free(text);
    return status;
}

conv_provider *fault_provider(void)
{
    static conv_provider *provider;
    if (provider == NULL &&
        conv_provider_callback("fault", answer, NULL, &provider, NULL) != CONV_OK)
        abort();
    return provider;
}
