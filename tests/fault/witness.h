/* The witness of a fault campaign: a line in a file before each call of the library and one after
 * it. The file outlives the process, and several processes may write to it at once. What the lines
 * say is judged in checker.h. */
#ifndef TESTS_FAULT_WITNESS_H
#define TESTS_FAULT_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/async.h"
#include "conversation/client.h"
#include "fault/content.h"

typedef enum witness_call {
    WITNESS_SAVE,     /* an exchange by itself */
    WITNESS_PROCESS,  /* a turn, with its answer */
    WITNESS_TOGETHER, /* one of several exchanges of a call */
    WITNESS_ASYNC,    /* submitted; it ends with its result */
    WITNESS_TRACK,    /* a usage record */
    WITNESS_FLUSH,    /* of tracked records; no turn of its own, nor have the next two */
    WITNESS_CONNECT,  /* the opening of a client */
    WITNESS_SHUT      /* the closing of a client */
} witness_call;

/* How a call ended. */
typedef enum witness_answer {
    WITNESS_ATTEMPT,   /* not yet, or the process died in it */
    WITNESS_ASKED,     /* not yet, but the provider is being asked */
    WITNESS_COMMITTED, /* said to be in the store */
    WITNESS_JOURNALED, /* said to be on the local disk */
    WITNESS_BUFFERED,  /* taken by the tracker of a client without a journal */
    WITNESS_REFUSED,   /* a failure that says that nothing was saved */
    WITNESS_UNKNOWN,   /* a failure that leaves it open */
    WITNESS_ENDED      /* what has no turn, with whatever status */
} witness_answer;

typedef struct witness_line {
    fault_turn turn;
    int64_t time_ns; /* monotonic, of the machine: comparable between processes */
    int64_t late_ms; /* of an answer: beyond the call's limit, 0 or more */
    uint8_t call;
    uint8_t answer;
    uint8_t status; /* conv_status */
    char sqlstate[5];
    int32_t process;
    /* A kill cuts a write short where a page ends, so no line lies across one. */
    uint8_t padding[8];
} witness_line;

typedef struct witness witness;

typedef struct witness_submitted {
    witness *lines;
    witness_line line;
    int64_t limit_ms; /* set by the caller, as limit_ms below; waiting for a turn included */
} witness_submitted;

/* Makes the file or goes on with it. Ends the program if that fails, as everything here does: a
 * witness that can't write proves nothing. */
witness *witness_open(const char *path);

void witness_close(witness *self); /* NULL is allowed */

/* Calls the library between two lines. `limit_ms` is what the call may take by its own settings
 * (for conv_save_exchange the client's store_timeout_ms); what takes over a second longer is late.
 * A turn gets `timeout_ms` up to the answer (at least 400), and as much again for saving: the
 * client's store_timeout_ms must be the same. `error` may be NULL. `journaled` says whether the
 * client has a journal. witness_process answers by fault_provider, whose first use must not be by
 * several threads at once, and has a line of the question, too. Thread: any. */
conv_status witness_save(witness *self, conv_client *client, const fault_turn *turn,
                         int64_t limit_ms, conv_error *error);
conv_status witness_process(witness *self, conv_client *client, const fault_turn *turn,
                            int64_t timeout_ms, conv_error *error);
conv_status witness_track(witness *self, conv_client *client, const fault_turn *turn,
                          bool journaled, conv_error *error);

/* Saves an exchange that nobody has tried before, and tracks and flushes its usage record with the
 * client `other`. It counts once, whichever comes first, so the tracking has no line of its own. */
conv_status witness_save_and_track(witness *self, conv_client *client, conv_client *other,
                                   const fault_turn *turn, int64_t limit_ms, conv_error *error);

/* Submits an exchange and waits for its result, which has a second more than a call. The client
 * must not be closed meanwhile. */
conv_status witness_async(witness *self, conv_client *client, const fault_turn *turn,
                          int64_t limit_ms, conv_error *error);

/* Submits an exchange and does not wait. `line` is its own until its result has come, and is
 * submitted as the context; `on_result` may be NULL. witness_collect takes the result, from any
 * thread, whichever way it came. */
conv_status witness_submit(witness *self, conv_client *client, const fault_turn *turn,
                           conv_async_function on_result, witness_submitted *line,
                           conv_error *error);
void witness_collect(const conv_async_result *result);

/* Saves up to WITNESS_TOGETHER_MOST exchanges in one call; gives the first failure. */
enum { WITNESS_TOGETHER_MOST = 4 };
conv_status witness_together(witness *self, conv_client *client, const fault_turn *turns,
                             size_t count, int64_t limit_ms, conv_error *error);

/* Flushes what is tracked; a success acknowledges `tracked`, a record tracked before (NULL: none),
 * also of a client without a journal. */
conv_status witness_flush(witness *self, conv_client *client, const fault_turn *tracked,
                          int64_t timeout_ms, conv_error *error);

/* The same of all, with how many are not durable yet. */
conv_status witness_flush_all(witness *self, conv_client *client, int64_t timeout_ms,
                              size_t *pending, conv_error *error);

/* Opens a client, whose timeouts are set (connect_timeout_ms not for SQLite's), and closes one. */
conv_status witness_connect(witness *self, const conv_client_params *params, conv_client **client,
                            conv_error *error);
conv_status witness_shut(witness *self, conv_client *client, int64_t timeout_ms, conv_error *error);

/* Whether the call saves a turn or tracks it. */
bool witness_has_turn(const witness_line *line);

/* What the call is called in a message. */
const char *witness_call_name(const witness_line *line);

/* The lines by themselves, for calls made otherwise. */
void witness_write(witness *self, const witness_line *line);

/* How many calls were late. */
long witness_late(const char *path);

/* All lines that are whole, in the order of writing; on the heap. */
witness_line *witness_read(const char *path, size_t *count);

#endif
