/* What a provider is asked for a summary, and what its answer says. Pure. */
#ifndef CONV__SERVICES_SUMMARY_TEXT_H
#define CONV__SERVICES_SUMMARY_TEXT_H

#include "repositories/chat.h"
#include "repositories/summaries.h"

/* How many messages of the list, from the front, go into a summary: all but the last ones that take
 * `keep_tokens` together (none is kept of a list that has more behind it), up to a question, and no
 * more than `most_tokens` beside `earlier` (NULL: none), but at least one. However long `earlier`
 * is, half of that is the messages': a session would not be caught up with else. */
size_t conv__summary_cut(const conv__message_list *list, const conv_summary *earlier,
                         int64_t keep_tokens, int64_t most_tokens);

/* Whether a message's words go into a request: not those of a turn that failed, which may still be
 * replaced. */
bool conv__summary_takes(const conv_message *message);

/* The two messages of the request: what to do, and the text to do it with; of a text that alone has
 * more than `most_tokens` the beginning. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__summary_request(conv__arena *arena, const conv_summary *earlier,
                                                   const conv__message_list *list, size_t count,
                                                   int64_t most_tokens, conv_message request[2]);

/* Reads {"summary": "…", "key_points": ["…"]}, also in a Markdown fence; of an answer that is no
 * such thing the whole text is the summary. CONV_PROVIDER: it is empty. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__summary_read_answer(conv__arena *arena, conv_bytes answer,
                                                       conv__summary_row *row);

#endif
