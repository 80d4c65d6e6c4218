/* Checking a turn and laying out its messages. */
#ifndef CONV__SERVICES_TURN_H
#define CONV__SERVICES_TURN_H

#include "conversation/turn.h"
#include "core/memory.h"
#include "services/conversation.h"

#define CONV__TURN_ACTION "process message"

/* CONV_INVALID_ARGUMENT with what is wrong about its form and its messages. */
CONV_WARN_UNUSED conv_status conv__turn_check_messages(const conv_turn *turn, conv_error *error);

/* The same for everything else; `asks`: it needs a provider. */
CONV_WARN_UNUSED conv_status conv__turn_check(const conv__conversation *service,
                                              const conv_turn *turn, bool asks, conv_error *error);

/* Whether a text of the turn is a JSON object; NULL is. */
bool conv__turn_is_object(const char *text);

/* The turn's own messages, with ids and times; `count` is 0 only where the
 * turn wants another answer to an old question. */
CONV_WARN_UNUSED conv_status conv__turn_messages(conv__arena *arena, const conv_turn *turn,
                                                 int64_t created_us, conv_message **messages,
                                                 size_t *count);

/* History messages to send along; 0: none. */
size_t conv__turn_context(const conv__conversation *service, const conv_turn *turn);

#endif
