/* What a transcript is made of, for the files that read its different forms. */
#ifndef CONV__PROVIDERS_TRANSCRIPT_H
#define CONV__PROVIDERS_TRANSCRIPT_H

#include "conversation/transcript.h"
#include "core/json.h"
#include "core/memory.h"

typedef struct conv__transcript_turn {
    size_t first_message;
    size_t request_count;
    size_t reply_count;
    conv_usage usage;
} conv__transcript_turn;

struct conv_transcript {
    conv__arena arena; /* holds everything that the transcript gives out */
    const char *id;
    const char *user;
    const char *model;
    const char *title;
    conv_message *messages;
    size_t message_count;
    conv__transcript_turn *turns;
    size_t turn_count;
};

/* What is read, and how far errors are from its beginning. */
typedef struct conv__transcript_source {
    conv_bytes line;
    conv_transcript *transcript;
    conv_error *error;
} conv__transcript_source;

#define CONV__TRANSCRIPT_ACTION "read transcript"

/* CONV_BAD_DATA with the byte at which `value` begins; `what` is one of our own texts. */
conv_status conv__transcript_bad(const conv__transcript_source *source, conv__json value,
                                 const char *what);

/* The same for the value of `key`, which is not `what`. */
conv_status conv__transcript_bad_value(const conv__transcript_source *source, conv__json value,
                                       const char *key, const char *what);
conv_status conv__transcript_no_memory(const conv__transcript_source *source);

/* The role that a JSON string names, or CONV_ROLE_NONE. */
conv_role conv__transcript_role(conv__json name);

/* The text of `key`'s value, or of its `encoded` form in Base64 where there is no value; absent if
 * there is neither, or null. CONV_BAD_DATA, CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__transcript_text(const conv__transcript_source *source,
                                                   const char *key, conv__json value,
                                                   conv__json encoded, conv_bytes *text);

/* A copy of a JSON text as it is written. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__transcript_exact(const conv__transcript_source *source,
                                                    conv__json value, conv_bytes *text);

/* Messages of the chat form and of ShareGPT's, which has `from` and `value` instead of `role` and
 * `content`, after the `system` message that may stand beside them. CONV_BAD_DATA, CONV_NO_MEMORY.
 */
CONV_WARN_UNUSED conv_status conv__transcript_read_list(const conv__transcript_source *source,
                                                        conv__json system, conv__json list);

/* The branch of ChatGPT's export that ends at the node `last`, without one at the node that was
 * written last. CONV_BAD_DATA, CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__transcript_read_mapping(const conv__transcript_source *source,
                                                           conv__json last, conv__json mapping);

#endif
