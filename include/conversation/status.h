/* How every call of the library answers: a status, and details in the caller's own conv_error. */
#ifndef CONVERSATION_STATUS_H
#define CONVERSATION_STATUS_H

#include <stdbool.h>

#if defined(__GNUC__) || defined(__clang__)
#define CONV_WARN_UNUSED __attribute__((warn_unused_result))
#define CONV_PRINTF(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))
#else
#define CONV_WARN_UNUSED
#define CONV_PRINTF(format_index, first_argument)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* One line for each status: name, text, meaning. There are as many kinds as there are different
 * things a caller does next; the details stand in conv_error. */
#define CONV_STATUS_MAP(X)                                                                         \
    X(OK, "ok", "done as documented")                                                              \
    X(INVALID_ARGUMENT, "invalid argument", "the call's own words are wrong; repeat it corrected") \
    X(NOT_FOUND, "not found", "what was named does not exist")                                     \
    X(CONFLICT, "conflict", "the id exists already with other content")                            \
    X(LIMIT, "limit", "a configured bound was reached before the deadline")                        \
    X(PERMISSION, "permission denied", "the store or the file system refuses this user")           \
    X(STATE, "wrong state", "schema too old or too new, handle closed, process forked")            \
    X(BAD_DATA, "bad data", "the store refuses the data, or stored data is damaged")               \
    X(UNAVAILABLE, "unavailable", "the store or the provider can't be reached")                    \
    X(TIMEOUT, "timeout", "the deadline passed before an answer")                                  \
    X(CANCELLED, "cancelled", "the caller's own callback asked to stop")                           \
    X(PROVIDER, "provider error", "the provider answered with an error or with rubbish")           \
    X(NO_MEMORY, "out of memory", "an allocation failed; nothing was changed by it")               \
    X(INTERNAL, "internal error", "a defect of the library; please report it")

typedef enum conv_status {
#define CONV_STATUS_ENUM(name, text, meaning) CONV_##name,
    CONV_STATUS_MAP(CONV_STATUS_ENUM)
#undef CONV_STATUS_ENUM
} conv_status;

/* What helps against an error, from most to least hopeful. */
typedef enum conv_recovery {
    CONV_RECOVERY_NONE = 0, /* nothing failed, or nothing but another call helps */
    CONV_RECOVERY_RETRY,    /* the same again at once, on a fresh connection */
    CONV_RECOVERY_BACKOFF,  /* the same again after a pause */
    CONV_RECOVERY_WAIT,     /* the store is away: keep the data, try when it is back */
    CONV_RECOVERY_OPERATOR, /* a person must act (disk, password, schema); keep the data meanwhile
                             */
    CONV_RECOVERY_REJECT    /* this very data will never be accepted */
} conv_recovery;

#define CONV_ACTION_SIZE  48
#define CONV_MESSAGE_SIZE 512

/* Details of a failure. It lives on the caller's stack, owns nothing and needs no free. The texts
 * are one line, lower case, in English, and hold no secret and no text of any message. */
typedef struct conv_error {
    conv_status status;
    conv_recovery recovery;
    bool outcome_unknown; /* the store may or may not have committed; same ids resolve it */
    char sqlstate[6];     /* five characters, or empty: PostgreSQL appendix A */
    char action[CONV_ACTION_SIZE]; /* what was under way, e.g. "save exchange" */
    char message[CONV_MESSAGE_SIZE];
} conv_error;

#define CONV_ERROR_INIT                                                                            \
    {                                                                                              \
        CONV_OK, CONV_RECOVERY_NONE, false, "", "", ""                                             \
    }

/* The name of a status in lower case, e.g. "not found"; "unknown status" for any other number.
 * The string is static. Thread: any. Round trips: none. */
const char *conv_status_text(conv_status status);

/* The symbol of a status without prefix, e.g. "NOT_FOUND"; "UNKNOWN" for any other number.
 * The string is static. Thread: any. Round trips: none. */
const char *conv_status_name(conv_status status);

/* Whether the same call may succeed later without a change: recovery RETRY, BACKOFF or WAIT.
 * `error` may be NULL (false). Thread: any. Round trips: none. */
bool conv_error_is_retryable(const conv_error *error);

#ifdef __cplusplus
}
#endif
#endif
