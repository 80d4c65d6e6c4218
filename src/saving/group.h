/* Group commit: what concurrent callers bring is worked off together, by one of them. Knows nothing
 * of what that is. */
#ifndef CONV__SAVING_GROUP_H
#define CONV__SAVING_GROUP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/status.h"

typedef enum conv__group_state {
    CONV__GROUP_WAITING, /* in the queue */
    CONV__GROUP_TAKEN,   /* a leader is working on it */
    CONV__GROUP_LEADING, /* still in the queue; its caller is to lead */
    CONV__GROUP_DONE
} conv__group_state;

/* One caller's part. It lives on its caller's stack, so the caller stays until it is done. */
typedef struct conv__group_item {
    void *subject;
    uint64_t key; /* two with the same key are never worked on together */
    bool alone;   /* nor this one with any other */
    size_t bytes;
    int64_t deadline_ns;
    conv_status status; /* set by the work, or by the group when it never came to that */
    conv_error error;
    bool again; /* set by the work: not done, to be worked on once more */

    _Atomic uint32_t state;   /* conv__group_state; from here on the group's own */
    int64_t patient_until_ns; /* from then on it takes a free place, however little waits */
    struct conv__group_item *previous;
    struct conv__group_item *next;
} conv__group_item;

/* Works on a batch of at least one and sets each item's status, or `again`: such an item goes back
 * to the front of the queue, with its own deadline. So a batch need not last longer than the item
 * with the least time. At least one must be done. */
typedef void (*conv__group_work)(void *context, conv__group_item **batch, size_t count);

typedef struct conv__group_params {
    const char *action; /* for errors */
    conv__group_work work;
    void *context;
    int leaders;         /* batches under way at once; at least 1 */
    size_t batch_items;  /* in one batch at most */
    size_t batch_bytes;  /* likewise, but a single item may be larger */
    size_t queue_items;  /* waiting at most; further callers wait for room */
    int64_t patience_ms; /* so long at most a place stays free while little waits */
} conv__group_params;

typedef struct conv__group conv__group;

/* NULL when out of memory. */
conv__group *conv__group_create(const conv__group_params *params);

/* Brings an item and waits until it is done. There is no thread behind this: a caller that finds a
 * free place leads, which means that it works on what waits (its own item among it) and then hands
 * the place on; all others sleep until their result is there. Beside a batch under way another one
 * begins when as much waits as that has, or plenty, or when somebody's patience is over. What goes
 * back into the queue is worked on together with its like only: newcomers with little time can't
 * interrupt it for ever. CONV_LIMIT: the queue stayed full until the deadline. CONV_TIMEOUT: nobody
 * took the item before its deadline. CONV_NO_MEMORY. Else what the work said. Thread: any. */
CONV_WARN_UNUSED conv_status conv__group_do(conv__group *group, conv__group_item *item);

/* Items in the queue now. Thread: any. */
size_t conv__group_waiting(conv__group *group);

/* NULL is allowed. Nobody may be waiting. */
void conv__group_free(conv__group *group);

#endif
