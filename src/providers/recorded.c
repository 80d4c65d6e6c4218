/* The provider that answers from recorded conversations: for replays, demonstrations and tests. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conversation/provider.h"
#include "conversation/transcript.h"
#include "core/error.h"
#include "core/memory.h"
#include "providers/words.h"

#define PIECE_SIZE ((size_t)64) /* bytes of a delta at most */

/* A turn that can be asked for. */
typedef struct entry {
    char turn_id[CONV_TURN_ID_SIZE];
    conv_bytes question; /* text (or parts) of its last user message; absent: it has none */
    const conv_transcript *transcript;
    conv_transcript_turn turn;
} entry;

typedef struct recorded_provider {
    conv_provider base;
    conv_transcript **transcripts; /* owned */
    size_t transcript_count;
    entry *entries; /* in the order of the recording */
    size_t entry_count;
    size_t entry_capacity;
    const entry **by_id; /* both sorted, equal ones in the order of the recording */
    const entry **by_question;
    size_t question_count;
} recorded_provider;

static conv_bytes question_of(const conv_message *messages, size_t count)
{
    for (size_t i = count; i > 0; i--) {
        const conv_message *message = &messages[i - 1];
        if (message->role == CONV_ROLE_USER)
            return message->content.data != NULL ? message->content : message->parts;
    }
    return (conv_bytes){NULL, 0};
}

static int compare_bytes(conv_bytes a, conv_bytes b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    if (order != 0) return order;
    return (a.size > b.size) - (a.size < b.size);
}

static int compare_places(const entry *a, const entry *b)
{
    return (a > b) - (a < b);
}

static int compare_ids(const void *left, const void *right)
{
    const entry *a = *(const entry *const *)left;
    const entry *b = *(const entry *const *)right;
    int order = strcmp(a->turn_id, b->turn_id);
    return order != 0 ? order : compare_places(a, b);
}

static int compare_questions(const void *left, const void *right)
{
    const entry *a = *(const entry *const *)left;
    const entry *b = *(const entry *const *)right;
    int order = compare_bytes(a->question, b->question);
    return order != 0 ? order : compare_places(a, b);
}

static const entry *find_by_id(const recorded_provider *recorded, const char *turn_id)
{
    size_t low = 0;
    size_t high = recorded->entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(recorded->by_id[middle]->turn_id, turn_id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == recorded->entry_count) return NULL;
    return strcmp(recorded->by_id[low]->turn_id, turn_id) == 0 ? recorded->by_id[low] : NULL;
}

static const entry *find_by_question(const recorded_provider *recorded, conv_bytes question)
{
    size_t low = 0;
    size_t high = recorded->question_count;
    if (question.data == NULL) return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_bytes(recorded->by_question[middle]->question, question) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == recorded->question_count) return NULL;
    const entry *found = recorded->by_question[low];
    return conv_bytes_equal(found->question, question) ? found : NULL;
}

static conv_status put_turn(const entry *found, bool stream, conv_provider_response *response)
{
    const conv_transcript_turn *turn = &found->turn;
    conv_bytes model = conv_text(conv_transcript_model(found->transcript));
    for (size_t i = 0; i < turn->reply_count; i++) {
        const conv_message *message = &turn->messages[turn->request_count + i];
        conv_status status = CONV_OK;
        if (stream && message->role == CONV_ROLE_ASSISTANT)
            status = conv__put_words(response, message->content, PIECE_SIZE);
        if (status == CONV_OK) status = conv_provider_response_message(response, message);
        if (status != CONV_OK) return status;
    }
    conv_status status = conv_provider_response_usage(response, &turn->usage);
    if (status == CONV_OK)
        status = conv_provider_response_model(response, model,
                                              conv_text(turn->reply_count == 0 ? "end" : NULL));
    return status;
}

static conv_status complete(conv_provider *provider, const conv_provider_request *request,
                            conv_provider_response *response, conv_error *error)
{
    const recorded_provider *recorded = (const recorded_provider *)provider;
    const entry *found = find_by_id(recorded, request->turn_id);
    if (found == NULL)
        found = find_by_question(recorded, question_of(request->messages, request->message_count));
    if (found == NULL)
        return conv__fail(error, CONV_PROVIDER, "replay turn",
                          "the recording has no turn %s and none with this question",
                          request->turn_id);
    conv_status status = put_turn(found, request->stream, response);
    if (status == CONV_CANCELLED)
        return conv__fail(error, status, "replay turn", "the caller wanted no more of the reply");
    if (status != CONV_OK)
        return conv__fail(error, status, "replay turn", "the recorded reply can't be kept");
    return CONV_OK;
}

static void free_provider(conv_provider *provider)
{
    recorded_provider *recorded = (recorded_provider *)provider;
    for (size_t i = 0; i < recorded->transcript_count; i++)
        conv_transcript_free(recorded->transcripts[i]);
    conv__release(recorded->transcripts);
    conv__release(recorded->entries);
    conv__release(recorded->by_id);
    conv__release(recorded->by_question);
    conv__release(recorded);
}

static conv_status add_turns(recorded_provider *recorded, const conv_transcript *transcript)
{
    size_t turns = conv_transcript_turn_count(transcript);
    size_t needed = recorded->entry_count + turns;
    if (needed > recorded->entry_capacity) {
        size_t capacity = recorded->entry_capacity * 2;
        if (capacity < needed) capacity = needed;
        entry *grown = conv__resize(recorded->entries, capacity * sizeof *grown);
        if (grown == NULL) return CONV_NO_MEMORY;
        recorded->entries = grown;
        recorded->entry_capacity = capacity;
    }
    for (size_t i = 0; i < turns; i++) {
        entry *added = &recorded->entries[recorded->entry_count++];
        *added = (entry){.transcript = transcript};
        conv_transcript_turn_id(conv_transcript_id(transcript), i + 1, added->turn_id);
        (void)conv_transcript_turn_get(transcript, i, &added->turn);
        added->question = question_of(added->turn.messages, added->turn.request_count);
    }
    return CONV_OK;
}

/* When all turns are in: entries do not move any more. */
static conv_status build_indexes(recorded_provider *recorded)
{
    size_t count = recorded->entry_count;
    recorded->by_id = conv__allocate((count + 1) * sizeof *recorded->by_id);
    recorded->by_question = conv__allocate((count + 1) * sizeof *recorded->by_question);
    if (recorded->by_id == NULL || recorded->by_question == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const entry *turn = &recorded->entries[i];
        recorded->by_id[i] = turn;
        if (turn->question.data != NULL) recorded->by_question[recorded->question_count++] = turn;
    }
    qsort(recorded->by_id, count, sizeof *recorded->by_id, compare_ids);
    qsort(recorded->by_question, recorded->question_count, sizeof *recorded->by_question,
          compare_questions);
    return CONV_OK;
}

static conv_status keep_transcript(recorded_provider *recorded, conv_transcript *transcript)
{
    size_t count = recorded->transcript_count;
    if ((count & (count - 1)) == 0) { /* 0 or a power of two: full */
        size_t capacity = count == 0 ? 1 : count * 2;
        conv_transcript **grown = conv__resize(recorded->transcripts, capacity * sizeof *grown);
        if (grown == NULL) return CONV_NO_MEMORY;
        recorded->transcripts = grown;
    }
    recorded->transcripts[recorded->transcript_count++] = transcript;
    return CONV_OK;
}

static conv_status read_all(recorded_provider *recorded, conv_transcript_reader *reader,
                            conv_error *error)
{
    for (;;) {
        conv_transcript *transcript = NULL;
        conv_status status = conv_transcript_reader_next(reader, &transcript, error);
        if (status != CONV_OK || transcript == NULL) return status;
        if (keep_transcript(recorded, transcript) != CONV_OK) {
            conv_transcript_free(transcript);
            return conv__fail_memory(error, "read recording");
        }
        if (add_turns(recorded, transcript) != CONV_OK)
            return conv__fail_memory(error, "read recording");
    }
}

static conv_status read_file(recorded_provider *recorded, const char *path, conv_error *error)
{
    conv_transcript_reader *reader = NULL;
    conv_status status = conv_transcript_reader_open(path, &reader, error);
    if (status != CONV_OK) return status;
    status = read_all(recorded, reader, error);
    conv_transcript_reader_close(reader);
    return status;
}

static recorded_provider *make(void)
{
    static const conv_provider_functions functions = {"recorded", complete, free_provider};
    recorded_provider *recorded = conv__allocate(sizeof *recorded);
    if (recorded != NULL) recorded->base.functions = &functions;
    return recorded;
}

/* Hands the provider out if all went well, else frees it. */
static conv_status finish(recorded_provider *recorded, conv_status status, conv_provider **provider,
                          conv_error *error)
{
    if (status == CONV_OK && build_indexes(recorded) != CONV_OK)
        status = conv__fail_memory(error, "read recording");
    if (status == CONV_OK)
        *provider = &recorded->base;
    else
        free_provider(&recorded->base);
    return status;
}

conv_status conv_provider_recorded(const char *path, conv_provider **provider, conv_error *error)
{
    *provider = NULL;
    recorded_provider *recorded = make();
    if (recorded == NULL) return conv__fail_memory(error, "read recording");
    return finish(recorded, read_file(recorded, path, error), provider, error);
}

conv_status conv_provider_recorded_transcript(const conv_transcript *transcript,
                                              conv_provider **provider, conv_error *error)
{
    *provider = NULL;
    recorded_provider *recorded = make();
    if (recorded == NULL) return conv__fail_memory(error, "read recording");
    conv_status status = add_turns(recorded, transcript);
    if (status != CONV_OK) conv__fail_memory(error, "read recording");
    return finish(recorded, status, provider, error);
}
