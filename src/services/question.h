/* Asking the store: leases a connection for one question or one small change, and tries again where
 * that is safe. Exchanges and usage go through the saving room instead. */
#ifndef CONV__SERVICES_QUESTION_H
#define CONV__SERVICES_QUESTION_H

#include <stdint.h>

#include "conversation/status.h"
#include "core/memory.h"
#include "repositories/store.h"

typedef enum conv__ask_mode {
    CONV__ASK_READ,
    CONV__ASK_WRITE,     /* the same again leaves the same, so an unknown outcome is tried again */
    CONV__ASK_WRITE_ONCE /* an unknown outcome is told to the caller */
} conv__ask_mode;

/* Asks inside the transaction; what it allocates in the arena is dropped before a repeat. */
typedef conv_status (*conv__question)(conv__transaction *transaction, conv__arena *arena,
                                      void *context, conv_error *error);

/* `arena` may be NULL for a question that needs none. */
CONV_WARN_UNUSED conv_status conv__ask(conv__store *store, conv__ask_mode mode, int64_t deadline_ns,
                                       conv__question question, conv__arena *arena, void *context,
                                       conv_error *error);

#endif
