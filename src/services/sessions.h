/* The session service: create, resume, read, change, label and list. Holds no SQL. */
#ifndef CONV__SERVICES_SESSIONS_H
#define CONV__SERVICES_SESSIONS_H

#include "conversation/session.h"
#include "repositories/store.h"

/* See the functions of the same name in conversation/session.h. `created`: it was not there. */
CONV_WARN_UNUSED conv_status conv__sessions_create(conv__store *store, int64_t deadline_ns,
                                                   const conv_session_params *params, bool *created,
                                                   conv_session_page **session, conv_error *error);
CONV_WARN_UNUSED conv_status conv__sessions_get(conv__store *store, int64_t deadline_ns,
                                                const char *session_id, conv_session_page **session,
                                                conv_error *error);
CONV_WARN_UNUSED conv_status conv__sessions_update(conv__store *store, int64_t deadline_ns,
                                                   const conv_session_params *params,
                                                   conv_error *error);
CONV_WARN_UNUSED conv_status conv__sessions_list(conv__store *store, int64_t deadline_ns,
                                                 const conv_session_filter *filter,
                                                 conv_session_page **page, conv_error *error);
/* Gives a tag or takes it away. */
CONV_WARN_UNUSED conv_status conv__sessions_tag(conv__store *store, int64_t deadline_ns,
                                                const char *session_id, const char *tag,
                                                bool present, conv_error *error);
CONV_WARN_UNUSED conv_status conv__sessions_archive(conv__store *store, int64_t deadline_ns,
                                                    const char *session_id, bool archived,
                                                    conv_error *error);

#endif
