/* Transcripts: one conversation out of one JSON text, and its turns. It must not read files: that
 * is transcript_reader.c. */
#include "providers/transcript.h"

#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/error.h"
#include "core/hash.h"
#include "providers/openai_usage.h"

conv_status conv__transcript_bad(const conv__transcript_source *source, conv__json value,
                                 const char *what)
{
    size_t offset = value.text.data == NULL ? 0 : (size_t)(value.text.data - source->line.data);
    return conv__fail(source->error, CONV_BAD_DATA, CONV__TRANSCRIPT_ACTION, "%s at byte %zu", what,
                      offset);
}

conv_status conv__transcript_bad_value(const conv__transcript_source *source, conv__json value,
                                       const char *key, const char *what)
{
    char text[80];
    snprintf(text, sizeof text, "\"%s\" is not %s", key, what);
    return conv__transcript_bad(source, value, text);
}

conv_status conv__transcript_no_memory(const conv__transcript_source *source)
{
    return conv__fail_memory(source->error, CONV__TRANSCRIPT_ACTION);
}

conv_role conv__transcript_role(conv__json name)
{
    for (int role = CONV_ROLE_SYSTEM; role <= CONV_ROLE_TOOL; role++) {
        if (conv__json_string_is(name, conv_role_name((conv_role)role))) return (conv_role)role;
    }
    return CONV_ROLE_NONE;
}

static conv_status read_base64(const conv__transcript_source *source, const char *key,
                               conv__json value, conv_bytes *text)
{
    conv_bytes encoded;
    conv__arena *arena = &source->transcript->arena;
    if (conv__json_string(arena, value, &encoded) != CONV_OK)
        return conv__transcript_no_memory(source);
    conv__buffer buffer = {0};
    conv_status status = CONV_OK;
    if (encoded.data == NULL || !conv__base64_decode(&buffer, encoded)) {
        status = conv__transcript_bad_value(source, value, key, "Base64");
    } else if (buffer.failed ||
               conv__arena_copy(arena, conv__buffer_bytes(&buffer), text) != CONV_OK) {
        status = conv__transcript_no_memory(source);
    }
    conv__buffer_free(&buffer);
    return status;
}

conv_status conv__transcript_text(const conv__transcript_source *source, const char *key,
                                  conv__json value, conv__json encoded, conv_bytes *text)
{
    *text = conv_text(NULL);
    if (value.kind == CONV__JSON_STRING) {
        if (conv__json_string(&source->transcript->arena, value, text) != CONV_OK)
            return conv__transcript_no_memory(source);
        return CONV_OK;
    }
    if (value.kind != CONV__JSON_ABSENT && value.kind != CONV__JSON_NULL)
        return conv__transcript_bad_value(source, value, key, "a string");
    return encoded.kind == CONV__JSON_ABSENT ? CONV_OK : read_base64(source, key, encoded, text);
}

conv_status conv__transcript_exact(const conv__transcript_source *source, conv__json value,
                                   conv_bytes *text)
{
    if (conv__arena_copy(&source->transcript->arena, value.text, text) != CONV_OK)
        return conv__transcript_no_memory(source);
    return CONV_OK;
}

/* The members of a line that mean something here. Each text is followed by its form in Base64. */
typedef enum member {
    ID,
    ID_BASE64,
    USER,
    USER_BASE64,
    MODEL,
    MODEL_BASE64,
    CONVERSATION_ID,
    MESSAGES,
    CONVERSATIONS,
    SYSTEM,
    MAPPING,
    CURRENT_NODE,
    USAGE,
    TITLE,
    MEMBER_COUNT
} member;

static const char *const member_keys[MEMBER_COUNT] = {
    "id",           "id_base64",       "user",     "user_base64",   "model",
    "model_base64", "conversation_id", "messages", "conversations", "system",
    "mapping",      "current_node",    "usage",    "title"};

/* A text that the API gives out as a C string; a number counts as its literal. */
static conv_status read_c_string(const conv__transcript_source *source, const char *key,
                                 conv__json value, conv__json encoded, const char **string)
{
    conv_bytes text;
    conv_status status = value.kind == CONV__JSON_NUMBER
                             ? conv__transcript_exact(source, value, &text)
                             : conv__transcript_text(source, key, value, encoded, &text);
    if (status != CONV_OK) return status;
    if (text.data != NULL && memchr(text.data, '\0', text.size) != NULL)
        return conv__transcript_bad(source, value, "an id with a NUL");
    *string = text.data;
    return CONV_OK;
}

/* Of the object alone: the same conversation has the same id with another line ending behind it. */
static conv_status make_id(const conv__transcript_source *source, conv__json object)
{
    static const char prefix[] = "import-";
    enum { PREFIX_SIZE = sizeof prefix - 1, DIGEST_BYTES = 16 };
    uint8_t digest[CONV__SHA256_SIZE];
    conv__sha256 *hash = conv__sha256_create();
    if (hash == NULL) return conv__transcript_no_memory(source);
    conv__sha256_update(hash, object.text.data, object.text.size);
    if (conv__sha256_finish(hash, digest) != CONV_OK) return conv__transcript_no_memory(source);

    char *id = conv__arena_allocate(&source->transcript->arena, PREFIX_SIZE + 2 * DIGEST_BYTES + 1);
    if (id == NULL) return conv__transcript_no_memory(source);
    memcpy(id, prefix, PREFIX_SIZE);
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        id[PREFIX_SIZE + 2 * i] = "0123456789abcdef"[digest[i] >> 4];
        id[PREFIX_SIZE + 2 * i + 1] = "0123456789abcdef"[digest[i] & 0xF];
    }
    source->transcript->id = id;
    return CONV_OK;
}

/* A title is for people: one that is of no use to them is no reason to refuse the conversation. */
static conv_status read_title(const conv__transcript_source *source, conv__json value)
{
    conv_bytes text;
    if (value.kind != CONV__JSON_STRING) return CONV_OK;
    if (conv__json_string(&source->transcript->arena, value, &text) != CONV_OK)
        return conv__transcript_no_memory(source);
    if (text.size > 0 && memchr(text.data, '\0', text.size) == NULL)
        source->transcript->title = text.data;
    return CONV_OK;
}

static conv_status read_names(const conv__transcript_source *source, conv__json object,
                              const conv__json *members)
{
    static const conv__json none = {0};
    conv_transcript *transcript = source->transcript;
    conv_status status =
        read_c_string(source, "id", members[ID], members[ID_BASE64], &transcript->id);
    if (status == CONV_OK && transcript->id == NULL)
        status = read_c_string(source, "conversation_id", members[CONVERSATION_ID], none,
                               &transcript->id);
    if (status == CONV_OK && transcript->id == NULL) status = make_id(source, object);
    if (status == CONV_OK)
        status =
            read_c_string(source, "user", members[USER], members[USER_BASE64], &transcript->user);
    if (status == CONV_OK)
        status = read_c_string(source, "model", members[MODEL], members[MODEL_BASE64],
                               &transcript->model);
    if (status == CONV_OK) status = read_title(source, members[TITLE]);
    return status;
}

static conv_status read_messages(const conv__transcript_source *source, conv__json object,
                                 const conv__json *members)
{
    static const conv__json none = {0};
    conv_status status = CONV_OK;
    if (members[MESSAGES].kind == CONV__JSON_ARRAY) {
        status = conv__transcript_read_list(source, none, members[MESSAGES]);
    } else if (members[CONVERSATIONS].kind == CONV__JSON_ARRAY) {
        status = conv__transcript_read_list(source, members[SYSTEM], members[CONVERSATIONS]);
    } else if (members[MAPPING].kind == CONV__JSON_OBJECT) {
        status = conv__transcript_read_mapping(source, members[CURRENT_NODE], members[MAPPING]);
    }
    if (status != CONV_OK || source->transcript->message_count > 0) return status;
    return conv__transcript_bad(source, object, "no messages in the object");
}

/* Where the turn that begins at `first` asks, and where the next one begins. */
static size_t request_end(const conv_transcript *transcript, size_t first)
{
    for (size_t i = first; i < transcript->message_count; i++) {
        if (transcript->messages[i].role == CONV_ROLE_USER) return i + 1;
    }
    /* Nobody asks: what an application says before the answer, but at least one message. */
    size_t end = first + 1;
    while (end < transcript->message_count &&
           (transcript->messages[end].role == CONV_ROLE_SYSTEM ||
            transcript->messages[end].role == CONV_ROLE_DEVELOPER)) {
        end++;
    }
    return end;
}

static size_t turn_end(const conv_transcript *transcript, size_t first)
{
    while (first < transcript->message_count &&
           transcript->messages[first].role != CONV_ROLE_USER) {
        first++;
    }
    return first;
}

static conv_status make_turns(const conv__transcript_source *source)
{
    conv_transcript *transcript = source->transcript;
    size_t count = 0;
    for (size_t first = 0; first < transcript->message_count; count++) {
        first = turn_end(transcript, request_end(transcript, first));
    }
    transcript->turns = conv__arena_allocate(&transcript->arena, count * sizeof *transcript->turns);
    if (transcript->turns == NULL) return conv__transcript_no_memory(source);
    for (size_t first = 0; first < transcript->message_count;) {
        size_t end = request_end(transcript, first);
        size_t next = turn_end(transcript, end);
        transcript->turns[transcript->turn_count++] =
            (conv__transcript_turn){.first_message = first,
                                    .request_count = end - first,
                                    .reply_count = next - end,
                                    .usage = CONV_USAGE_INIT};
        first = next;
    }
    return CONV_OK;
}

static conv_status read_usage(const conv__transcript_source *source, conv__json list)
{
    conv_transcript *transcript = source->transcript;
    conv__json entry;
    size_t position = 0;
    for (size_t i = 0; i < transcript->turn_count; i++) {
        if (!conv__json_next(list, &position, NULL, &entry)) break;
        if (entry.kind == CONV__JSON_NULL) continue;
        if (entry.kind != CONV__JSON_OBJECT)
            return conv__transcript_bad(source, entry, "an entry of usage is not an object");
        conv_usage *usage = &transcript->turns[i].usage;
        (void)conv__openai_usage_read(entry, usage);
        if (conv__arena_copy(&transcript->arena, usage->raw, &usage->raw) != CONV_OK)
            return conv__transcript_no_memory(source);
    }
    return CONV_OK;
}

static conv_status read_object(const conv__transcript_source *source, conv__json object)
{
    conv__json members[MEMBER_COUNT];
    conv__json_get_all(object, member_keys, MEMBER_COUNT, members);
    conv_status status = read_names(source, object, members);
    if (status == CONV_OK) status = read_messages(source, object, members);
    if (status == CONV_OK) status = make_turns(source);
    if (status == CONV_OK) status = read_usage(source, members[USAGE]);
    return status;
}

conv_status conv_transcript_parse(conv_bytes line, conv_transcript **transcript, conv_error *error)
{
    *transcript = NULL;
    conv__error_clear(error);
    conv__json object = {0};
    size_t offset;
    if (!conv__json_parse(line, &object, &offset))
        return conv__fail(error, CONV_BAD_DATA, CONV__TRANSCRIPT_ACTION, "not JSON at byte %zu",
                          offset);
    if (object.kind != CONV__JSON_OBJECT)
        return conv__fail(error, CONV_BAD_DATA, CONV__TRANSCRIPT_ACTION, "not a JSON object");
    conv_transcript *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, CONV__TRANSCRIPT_ACTION);
    const conv__transcript_source source = {.line = line, .transcript = made, .error = error};
    conv_status status = read_object(&source, object);
    if (status == CONV_OK) {
        *transcript = made;
    } else {
        conv_transcript_free(made);
    }
    return status;
}

const char *conv_transcript_id(const conv_transcript *transcript)
{
    return transcript->id;
}

const char *conv_transcript_user(const conv_transcript *transcript)
{
    return transcript->user;
}

const char *conv_transcript_model(const conv_transcript *transcript)
{
    return transcript->model;
}

const char *conv_transcript_title(const conv_transcript *transcript)
{
    return transcript->title;
}

size_t conv_transcript_message_count(const conv_transcript *transcript)
{
    return transcript->message_count;
}

const conv_message *conv_transcript_messages(const conv_transcript *transcript)
{
    return transcript->messages;
}

size_t conv_transcript_turn_count(const conv_transcript *transcript)
{
    return transcript->turn_count;
}

bool conv_transcript_turn_get(const conv_transcript *transcript, size_t index,
                              conv_transcript_turn *turn)
{
    if (index >= transcript->turn_count) return false;
    const conv__transcript_turn *found = &transcript->turns[index];
    *turn = (conv_transcript_turn){.messages = transcript->messages + found->first_message,
                                   .request_count = found->request_count,
                                   .reply_count = found->reply_count,
                                   .usage = found->usage};
    return true;
}

void conv_transcript_turn_id(const char *conversation_id, size_t index,
                             char turn_id[CONV_TURN_ID_SIZE])
{
    char name[32];
    int size = snprintf(name, sizeof name, "turn/%zu", index);
    conv_uuid name_space = conv_uuid_ensure(conv_text(conversation_id));
    conv_uuid_format(conv_uuid_v5(name_space, conv_view(name, (size_t)size)), turn_id);
}

void conv_transcript_free(conv_transcript *transcript)
{
    if (transcript == NULL) return;
    conv__arena_reset(&transcript->arena);
    conv__release(transcript);
}
