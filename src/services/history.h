/* Reading the messages of a session. Holds no SQL. */
#ifndef CONV__SERVICES_HISTORY_H
#define CONV__SERVICES_HISTORY_H

#include "conversation/history.h"
#include "repositories/store.h"

/* See the functions of the same name in conversation/history.h. */
CONV_WARN_UNUSED conv_status conv__history_read(conv__store *store, int64_t deadline_ns,
                                                const conv_history_params *params,
                                                conv_history **history, conv_error *error);
CONV_WARN_UNUSED conv_status conv__history_message_by_id(conv__store *store, int64_t deadline_ns,
                                                         conv_uuid message_id,
                                                         conv_history **history, conv_error *error);

CONV_WARN_UNUSED conv_status conv__history_branches(conv__store *store, int64_t deadline_ns,
                                                    const char *session_id, conv_history **history,
                                                    conv_error *error);

#endif
