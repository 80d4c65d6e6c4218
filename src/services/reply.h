/* The inside of conv_reply. */
#ifndef CONV__SERVICES_REPLY_H
#define CONV__SERVICES_REPLY_H

#include "conversation/turn.h"
#include "core/memory.h"
#include "repositories/chat.h"

struct conv_reply {
    conv__arena arena; /* everything below lives here */
    char session_id[CONV_UUID_TEXT_SIZE];
    char turn_id[CONV_UUID_TEXT_SIZE];
    conv_message *messages;
    size_t message_count;
    conv_usage usage;
    conv_bytes finish_reason;
    conv_outcome status;
    conv_saved saved;
    bool repeat;
    int64_t provider_us;
    int64_t store_us;
};

conv_reply *conv__reply_create(void); /* NULL when out of memory */

/* Copies messages and usage into the reply. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__reply_set_messages(conv_reply *reply,
                                                      const conv_message *messages, size_t count);
CONV_WARN_UNUSED conv_status conv__reply_set_usage(conv_reply *reply, const conv_usage *usage);

/* Fills the reply from a saved exchange whose first `request_count` messages are the question. */
CONV_WARN_UNUSED conv_status conv__reply_set_saved(conv_reply *reply, const conv__turn_state *state,
                                                   size_t request_count, conv_error *error);

#endif
