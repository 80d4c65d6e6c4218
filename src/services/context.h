/* What a provider is told beside the turn's own messages: system messages, the latest summary, and
 * as many of the last messages as fit. Holds no SQL. */
#ifndef CONV__SERVICES_CONTEXT_H
#define CONV__SERVICES_CONTEXT_H

#include "conversation/turn.h"
#include "repositories/chat.h"
#include "repositories/summaries.h"

/* Of a message, as conv_token_estimate has it. */
int64_t conv__message_tokens(const conv_message *message);

/* Inside the question that has read a turn's context: the summary that its branch has, or an empty
 * list. */
CONV_WARN_UNUSED conv_status conv__context_read_summary(conv__transaction *transaction,
                                                        const conv_turn *turn, conv_uuid session_id,
                                                        conv__arena *arena,
                                                        conv__summary_list *summary,
                                                        conv_error *error);

/* What goes to the provider. */
typedef struct conv__context {
    const conv__message_list *history; /* see conv__turn_state.context */
    const conv_summary *summary;       /* NULL: none. Messages that it covers are left out */
    int64_t tokens;                    /* at most; 0: no limit */
} conv__context;

/* In this order: the system and developer messages that the history begins with, the summary as a
 * system message, the last messages from one of the user's on. The first are told whatever the
 * limit; the summary is cut to what they leave of it, or left out. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__context_build(conv__arena *arena, const conv__context *context,
                                                 conv_message **messages, size_t *count);

/* Tokens of the history that no summary covers. */
int64_t conv__context_tokens(const conv__context *context);

#endif
