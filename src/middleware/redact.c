/* The redacting step: takes what must not be kept out of a turn before anybody sees it, and out of
 * the reply before it is saved. What is found and how it is replaced stands in redact_text.c. */
#include "middleware/redact.h"

#include <string.h>

#include "core/error.h"
#include "middleware/redact_text.h"
#include "services/call.h"
#include "services/reply.h"

#define ACTION "redact"

typedef struct redact_step {
    conv_middleware base;
    conv__redactor *redactor;
    conv__redaction redaction; /* by it */
} redact_step;

/* What comes of a reply while it comes: whole lines go on, the rest waits for its end. */
typedef struct delta_filter {
    const conv__redactor *redactor;
    conv_delta_function on_delta; /* NULL: nobody listens */
    void *context;
    conv__buffer held;
    bool held_back; /* it begins as JSON, which is redacted as a whole */
    bool begun;     /* its first line has gone on: it is not JSON */
    bool stopped;
    bool failed;
} delta_filter;

typedef conv_status (*set_function)(conv_call *call, const conv_message *messages, size_t count,
                                    conv_error *error);

/* Copies the messages, redacts the copies, and sets them where anything had to go. */
static conv_status redact_messages(const conv__redaction *redaction, conv__arena *arena,
                                   conv_call *call, const conv_message *messages, size_t count,
                                   set_function set, conv_error *error)
{
    bool changed = false;
    if (count == 0) return CONV_OK;
    conv_message *copies = conv__arena_allocate(arena, count * sizeof *copies);
    if (copies == NULL) return conv__fail_memory(error, ACTION);
    memcpy(copies, messages, count * sizeof *copies);
    for (size_t i = 0; i < count; i++)
        if (conv__redaction_message(redaction, arena, &copies[i], &changed) != CONV_OK)
            return conv__fail_memory(error, ACTION);
    return changed ? set(call, copies, count, error) : CONV_OK;
}

static conv_status redact_field(const conv__redaction *redaction, conv__arena *arena,
                                conv_call *call, conv_call_field field, const char *text,
                                conv_error *error)
{
    conv_bytes bytes = conv_text(text);
    if (conv__redaction_text(redaction, arena, &bytes) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    return bytes.data != text ? conv_call_set(call, field, bytes.data, error) : CONV_OK;
}

static conv_status redact_request(const conv__redaction *redaction, conv__arena *arena,
                                  conv_call *call, conv_error *error)
{
    const conv_turn *turn = conv_call_turn(call);
    const conv_message *context = NULL;
    size_t count = 0;
    conv_status status = redact_messages(redaction, arena, call, turn->messages,
                                         turn->message_count, conv_call_set_messages, error);
    if (status == CONV_OK)
        status = redact_field(redaction, arena, call, CONV_CALL_TITLE, turn->title, error);
    if (status == CONV_OK)
        status = redact_field(redaction, arena, call, CONV_CALL_METADATA, turn->metadata, error);
    if (status == CONV_OK)
        status = redact_field(redaction, arena, call, CONV_CALL_OPTIONS, turn->options, error);
    /* What was saved before this step was there. */
    if (status == CONV_OK) status = conv_call_context(call, &context, &count, error);
    if (status == CONV_OK)
        status =
            redact_messages(redaction, arena, call, context, count, conv_call_set_context, error);
    return status;
}

static int hand_on(delta_filter *filter, conv_bytes text)
{
    if (text.size == 0 || filter->stopped) return filter->stopped;
    filter->stopped = filter->on_delta(filter->context, text) != 0;
    return filter->stopped;
}

static int fail(delta_filter *filter)
{
    filter->failed = true;
    return 1;
}

/* Hands on the lines that are whole. */
static int take_delta(void *context, conv_bytes delta)
{
    delta_filter *filter = context;
    if (delta.size == 0) return filter->on_delta(filter->context, delta);
    conv__buffer_append_bytes(&filter->held, delta);
    conv_bytes held = conv__buffer_bytes(&filter->held);
    if (filter->held.failed) return fail(filter);
    if (!filter->begun) filter->held_back = conv__redact_is_json(delta, &filter->begun);
    /* Only the newest piece is searched, or a long line would be once for each of its pieces. */
    const char *last = memrchr(delta.data, '\n', delta.size);
    if (!filter->begun || filter->held_back || last == NULL) return 0;
    size_t whole = held.size - delta.size + (size_t)(last - delta.data) + 1;
    conv__buffer redacted = {0};
    int stop = 0;
    if (conv__redact_lines(filter->redactor, conv_view(held.data, whole), &redacted) == CONV_OK)
        stop = hand_on(filter, conv__buffer_bytes(&redacted));
    else
        stop = fail(filter);
    conv__buffer_free(&redacted);
    memmove(filter->held.data, held.data + whole, held.size - whole);
    filter->held.size = held.size - whole;
    return stop;
}

/* Hands on what is left when the answer has ended. */
static void end_deltas(delta_filter *filter, conv__arena *arena)
{
    conv_bytes rest = conv__buffer_bytes(&filter->held);
    conv__buffer redacted = {0};
    conv_status status;
    if (filter->on_delta != NULL && !filter->failed && rest.size > 0) {
        if (filter->held_back) {
            status = conv__redact_text(filter->redactor, arena, rest, &rest);
        } else {
            status = conv__redact_lines(filter->redactor, rest, &redacted);
            rest = conv__buffer_bytes(&redacted);
        }
        filter->failed = status != CONV_OK;
        if (!filter->failed) (void)hand_on(filter, rest);
    }
    conv__buffer_free(&redacted);
    conv__buffer_free(&filter->held);
}

static conv_status redact_reply(const conv__redaction *redaction, conv__arena *arena,
                                conv_call *call, conv_error *error)
{
    size_t count = 0;
    const conv_message *messages = conv_call_reply(call, &count);
    if (conv_call_is_repeat(call)) return CONV_OK;
    conv_bytes raw = call->said.raw;
    if (conv__redaction_text(redaction, arena, &raw) != CONV_OK ||
        (raw.data != call->said.raw.data &&
         conv__arena_copy(&call->reply->arena, raw, &call->said.raw) != CONV_OK))
        return conv__fail_memory(error, ACTION);
    return redact_messages(redaction, arena, call, messages, count, conv_call_set_reply, error);
}

static conv_status handle(conv_middleware *middleware, conv_call *call, conv_next *next,
                          conv_error *error)
{
    const redact_step *step = (const redact_step *)middleware;
    const conv_turn *turn = conv_call_turn(call);
    delta_filter filter = {
        .redactor = step->redactor, .on_delta = turn->on_delta, .context = turn->delta_context};
    conv__arena arena = {0};
    conv_error details = CONV_ERROR_INIT;
    conv_status status = redact_request(&step->redaction, &arena, call, error);
    if (status == CONV_OK && filter.on_delta != NULL)
        status = conv_call_set_delta(call, take_delta, &filter, error);
    if (status == CONV_OK) {
        status = conv_next_run(next, call, error);
        end_deltas(&filter, &arena);
        conv_status own = redact_reply(&step->redaction, &arena, call, &details);
        if (own == CONV_OK && status != CONV_OK) conv__redaction_error(&step->redaction, error);
        if (own == CONV_OK && filter.failed) own = CONV_NO_MEMORY;
        if (own != CONV_OK) {
            /* What could not be looked at must not be kept. */
            conv__fail(error, own, ACTION, "the reply could not be redacted, and was dropped");
            conv__call_refuse(call, error);
            status = own;
        }
    }
    conv__arena_reset(&arena);
    return status;
}

static conv_status redact_by_step(const void *context, conv__arena *arena, conv_bytes *text)
{
    return conv__redact_text(context, arena, *text, text);
}

static void free_step(conv_middleware *middleware)
{
    redact_step *step = (redact_step *)middleware;
    conv__redactor_free(step->redactor);
    conv__release(step);
}

static const conv_middleware_functions functions = {
    .name = "redact", .handle = handle, .free = free_step};

bool conv__is_redact(const conv_middleware *middleware)
{
    return middleware->functions == &functions;
}

static conv_status redact_by_chain(const void *context, conv__arena *arena, conv_bytes *text)
{
    const conv__chain *chain = context;
    conv_status status = CONV_OK;
    for (size_t i = 0; status == CONV_OK && i < chain->count; i++)
        if (conv__is_redact(chain->steps[i]))
            status = conv__redaction_text(&((const redact_step *)chain->steps[i])->redaction, arena,
                                          text);
    return status;
}

conv__redaction conv__chain_redaction(const conv__chain *chain)
{
    return (conv__redaction){redact_by_chain, chain};
}

conv_status conv_middleware_redact(const conv_redact_params *params, conv_middleware **middleware,
                                   conv_error *error)
{
    static const conv_redact_params defaults = CONV_REDACT_PARAMS_INIT;
    *middleware = NULL;
    redact_step *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    conv_status status =
        conv__redactor_create(params != NULL ? params : &defaults, &made->redactor, error);
    if (status != CONV_OK) {
        conv__release(made);
        return status;
    }
    made->base.functions = &functions;
    made->redaction = (conv__redaction){redact_by_step, made->redactor};
    *middleware = &made->base;
    return CONV_OK;
}
