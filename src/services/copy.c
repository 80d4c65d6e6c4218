/* Moving texts into an arena. Decides nothing. */
#include "services/copy.h"

static conv_status copy_all(conv__arena *arena, conv_bytes *const *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (conv__arena_copy(arena, *fields[i], fields[i]) != CONV_OK) return CONV_NO_MEMORY;
    return CONV_OK;
}

#define COPY_ALL(arena, ...)                                                                       \
    copy_all(arena, (conv_bytes *const[]){__VA_ARGS__},                                            \
             sizeof((conv_bytes *const[]){__VA_ARGS__}) / sizeof(conv_bytes *))

conv_status conv__copy_message(conv__arena *arena, conv_message *message)
{
    return COPY_ALL(arena, &message->content, &message->parts, &message->tool_calls,
                    &message->tool_call_id, &message->name, &message->model, &message->metadata);
}

conv_status conv__copy_usage(conv__arena *arena, conv_usage *usage)
{
    return COPY_ALL(arena, &usage->session_id, &usage->user_id, &usage->user_email,
                    &usage->document_id, &usage->service, &usage->operation, &usage->model,
                    &usage->provider, &usage->price, &usage->error, &usage->raw, &usage->metadata);
}
