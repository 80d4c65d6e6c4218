/* Usage records in a store. An implementation holds SQL and nothing else. */
#ifndef CONV__REPOSITORIES_USAGE_H
#define CONV__REPOSITORIES_USAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/report.h"
#include "conversation/usage.h"
#include "core/zone.h"
#include "repositories/rows.h"
#include "repositories/store.h"

typedef struct conv__usage_query {
    int64_t from_us; /* 0: no bound */
    int64_t to_us;
    conv_bytes service; /* absent: any; else the column holds conv__text_project of it */
    conv_bytes operation;
    conv_bytes model;
    conv_uuid user_id;     /* nil: any */
    conv_uuid session_id;  /* nil: any */
    conv_uuid document_id; /* nil: any */
    size_t limit;
    int64_t after_us;
    conv_uuid after_id;
    conv_bytes zone_name;   /* whose days CONV_USAGE_GROUP_DAY makes; absent: UTC */
    const conv__zone *zone; /* the same, read; NULL: UTC */
} conv__usage_query;

typedef struct conv__usage_list {
    conv_usage
        *records; /* restored; ids of session, user and document in the application's spelling */
    size_t count;
    bool has_more;
} conv__usage_list;

typedef struct conv__usage_total_list {
    conv_usage_total *rows;
    size_t count;
} conv__usage_total_list;

typedef struct conv__difference_list {
    conv_difference *differences;
    size_t count;
    bool has_more;
} conv__difference_list;

typedef struct conv__reconciliation {
    conv_account_sums sums[CONV_ACCOUNT_SESSIONS + 1];
    int64_t pending;
    conv__difference_list list;
} conv__reconciliation;

/* How far a refresh has come. Begins as zero but for `rebuild`; valid after commit. */
typedef struct conv__refresh {
    bool rebuild;
    bool more;       /* another step is to follow, in a transaction of its own */
    int64_t changed; /* rows of the hours so far, and of days that did not agree with them */
    bool added;      /* of the implementation, as what follows: changes were added */
    int64_t until;   /* up to this one */
    char day[16];    /* that was summed last */
} conv__refresh;

/* Joins `count` lists into one. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__differences_join(conv__arena *arena,
                                                    const conv__difference_list *lists,
                                                    size_t count, conv__difference_list *joined);

/* Takes out of a record whose it was: a nobody takes the user's place. */
void conv__usage_row_hide(conv__usage_row *row, conv_uuid nobody);

/* By the bytes of the keys, whatever collation the database has and though SQL does not know the
 * restored ones; those without one last. */
void conv__usage_totals_sort(conv__usage_total_list *list);

/* As in chat.h: reads answer at once, writes may be queued until commit. */
typedef struct conv__usage_repository_functions {
    /* Saves records that belong to no exchange, each once by its log_id. inserted[i] is valid after
     * commit; false: the id existed already. */
    conv_status (*save)(conv__usage_repository *usage, conv__transaction *transaction,
                        const conv__usage_row *const *rows, size_t count, bool *inserted,
                        conv_error *error);

    /* The same for ids that nobody has saved before, as far as their owner knows: cheaper where a
     * store can do it so. If one is there already, the transaction may fail with
     * CONV_RECOVERY_REJECT. */
    conv_status (*save_new)(conv__usage_repository *usage, conv__transaction *transaction,
                            const conv__usage_row *const *rows, size_t count, bool *inserted,
                            conv_error *error);

    /* Newest first: by created_at and log_id, descending. */
    conv_status (*query)(conv__usage_repository *usage, conv__transaction *transaction,
                         const conv__usage_query *query, conv__arena *arena, conv__usage_list *list,
                         conv_error *error);

    /* The keys of users and sessions are in the application's spelling where it is known. Ordered
     * by the bytes of the key, records without one last. A record is unreported if its total_tokens
     * is unknown. With CONV_USAGE_GROUP_NONE always one row. CONV_LIMIT: a sum passes
     * 2^63-1, or money CONV_DECIMAL_DIGITS. CONV_INVALID_ARGUMENT: the server knows no such zone.
     */
    conv_status (*sum)(conv__usage_repository *usage, conv__transaction *transaction,
                       const conv__usage_query *query, conv_usage_group group, conv__arena *arena,
                       conv__usage_total_list *list, conv_error *error);

    /* In a WRITE transaction, one step: adds what was saved since the last refresh to usage_hourly
     * and to the days under daily_usage_summary; with `rebuild` makes them all that is in the
     * ledger. After each step usage_hourly and its changes are what they were together, or right.
     */
    conv_status (*refresh)(conv__usage_repository *usage, conv__transaction *transaction,
                           conv__refresh *refresh, conv_error *error);

    /* See conv_reconcile; at most `limit` differences of each kind. All at one moment. */
    conv_status (*reconcile)(conv__usage_repository *usage, conv__transaction *transaction,
                             size_t limit, conv__arena *arena, conv__reconciliation *result,
                             conv_error *error);
} conv__usage_repository_functions;

struct conv__usage_repository {
    const conv__usage_repository_functions *functions;
};

#endif
