/* Transcripts whose messages stand in a list: chat messages, and ShareGPT's. */
#include "providers/transcript.h"

/* Who speaks in files of ShareGPT's form; the roles' own names are known too. */
static const struct speaker {
    const char *name;
    conv_role role;
} speakers[] = {
    {"human", CONV_ROLE_USER},        {"gpt", CONV_ROLE_ASSISTANT},
    {"chatgpt", CONV_ROLE_ASSISTANT}, {"bot", CONV_ROLE_ASSISTANT},
    {"model", CONV_ROLE_ASSISTANT},   {"function_call", CONV_ROLE_ASSISTANT},
    {"observation", CONV_ROLE_TOOL},  {"function_response", CONV_ROLE_TOOL},
};

static conv_role speaker_role(conv__json name)
{
    for (size_t i = 0; i < sizeof speakers / sizeof speakers[0]; i++) {
        if (conv__json_string_is(name, speakers[i].name)) return speakers[i].role;
    }
    return conv__transcript_role(name);
}

/* A JSON array that is kept as it is written; null is as good as absent. */
static conv_status read_array(const conv__transcript_source *source, const char *key,
                              conv__json value, conv_bytes *text)
{
    if (value.kind == CONV__JSON_ABSENT || value.kind == CONV__JSON_NULL) return CONV_OK;
    if (value.kind != CONV__JSON_ARRAY)
        return conv__transcript_bad_value(source, value, key, "an array");
    return conv__transcript_exact(source, value, text);
}

/* The members of a message that mean something here. Each text is followed by its form in Base64.
 */
typedef enum member {
    ROLE,
    FROM,
    VALUE,
    CONTENT,
    CONTENT_BASE64,
    TOOL_CALL_ID,
    TOOL_CALL_ID_BASE64,
    NAME,
    NAME_BASE64,
    TOOL_CALLS,
    MEMBER_COUNT
} member;

static const char *const member_keys[MEMBER_COUNT] = {"role",
                                                      "from",
                                                      "value",
                                                      "content",
                                                      "content_base64",
                                                      "tool_call_id",
                                                      "tool_call_id_base64",
                                                      "name",
                                                      "name_base64",
                                                      "tool_calls"};

static conv_status read_text(const conv__transcript_source *source, const conv__json *members,
                             member key, conv_bytes *text)
{
    return conv__transcript_text(source, member_keys[key], members[key], members[key + 1], text);
}

static conv_status read_chat_message(const conv__transcript_source *source,
                                     const conv__json *members, conv_message *message)
{
    conv_status status = members[CONTENT].kind == CONV__JSON_ARRAY
                             ? conv__transcript_exact(source, members[CONTENT], &message->parts)
                             : read_text(source, members, CONTENT, &message->content);
    if (status == CONV_OK)
        status = read_array(source, "tool_calls", members[TOOL_CALLS], &message->tool_calls);
    if (status == CONV_OK)
        status = read_text(source, members, TOOL_CALL_ID, &message->tool_call_id);
    if (status == CONV_OK) status = read_text(source, members, NAME, &message->name);
    return status;
}

static conv_status read_message(const conv__transcript_source *source, conv__json object,
                                conv_message *message)
{
    if (object.kind != CONV__JSON_OBJECT)
        return conv__transcript_bad(source, object, "a message is not an object");
    conv__json members[MEMBER_COUNT];
    conv__json_get_all(object, member_keys, MEMBER_COUNT, members);
    bool is_sharegpt = members[ROLE].kind == CONV__JSON_ABSENT;
    message->role =
        is_sharegpt ? speaker_role(members[FROM]) : conv__transcript_role(members[ROLE]);
    if (message->role == CONV_ROLE_NONE)
        return conv__transcript_bad(source, object, "a message without a known role");
    if (!is_sharegpt) return read_chat_message(source, members, message);
    return conv__transcript_text(source, "value", members[VALUE], (conv__json){0},
                                 &message->content);
}

static conv_status read_system(const conv__transcript_source *source, conv__json system)
{
    conv_bytes text;
    conv_status status = conv__transcript_text(source, "system", system, (conv__json){0}, &text);
    if (status != CONV_OK || text.size == 0) return status;
    conv_transcript *transcript = source->transcript;
    transcript->messages[transcript->message_count++] =
        (conv_message){.role = CONV_ROLE_SYSTEM, .content = text};
    return CONV_OK;
}

conv_status conv__transcript_read_list(const conv__transcript_source *source, conv__json system,
                                       conv__json list)
{
    conv_transcript *transcript = source->transcript;
    size_t count = 1; /* room for the system's */
    conv__json entry;
    for (size_t position = 0; conv__json_next(list, &position, NULL, &entry);) {
        count++;
    }
    transcript->messages =
        conv__arena_allocate(&transcript->arena, count * sizeof *transcript->messages);
    if (transcript->messages == NULL) return conv__transcript_no_memory(source);

    conv_status status = read_system(source, system);
    for (size_t position = 0;
         status == CONV_OK && conv__json_next(list, &position, NULL, &entry);) {
        status = read_message(source, entry, &transcript->messages[transcript->message_count]);
        transcript->message_count++;
    }
    return status;
}
