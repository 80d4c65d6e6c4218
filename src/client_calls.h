/* What every public call of an open client begins and ends with. */
#ifndef CONV__CLIENT_CALLS_H
#define CONV__CLIENT_CALLS_H

#include "client.h"

#include "core/error.h"
#include "core/time.h"

static inline int64_t deadline_of(const conv_client *client)
{
    return conv__deadline_in_ms(client->store_timeout_ms);
}

static inline conv_status nowhere(conv_error *error, const char *action)
{
    return conv__fail(error, CONV_INVALID_ARGUMENT, action, "there is nowhere to put the result");
}

/* A call with a result: the result is NULL unless it succeeds. */
#define CALL_WITH_RESULT(client, action, result, error, call)                                      \
    do {                                                                                           \
        if ((result) == NULL) return nowhere(error, action);                                       \
        *(result) = NULL;                                                                          \
        CALL(client, action, error, call);                                                         \
    } while (0)

#define CALL(client, action, error, call)                                                          \
    do {                                                                                           \
        conv_status status_ = conv__client_enter(client, action, error);                           \
        if (status_ != CONV_OK) return status_;                                                    \
        status_ = (call);                                                                          \
        conv__client_leave(client);                                                                \
        return status_;                                                                            \
    } while (0)

#endif
