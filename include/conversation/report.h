/* The daily summary: bringing it up to date, and proving that it agrees with the ledger. */
#ifndef CONVERSATION_REPORT_H
#define CONVERSATION_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "decimal.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct conv_client conv_client;

/* How to refresh. Start from CONV_REFRESH_PARAMS_INIT. */
typedef struct conv_refresh_params {
    size_t size;
    int64_t timeout_ms; /* 0: the client's store_timeout_ms */
    bool rebuild;       /* sum the whole ledger anew: for what conv_reconcile found */
} conv_refresh_params;

#define CONV_REFRESH_PARAMS_INIT                                                                   \
    {                                                                                              \
        sizeof(conv_refresh_params), 0, false                                                      \
    }

/* Brings `daily_usage_summary` (date, service, operation, count, total_tokens, total_cost; days of
 * UTC) up to date with the ledger. It costs what was saved since the last time, not the history:
 * the changes that were noted with the records are added to sums by hour (`usage_hourly`) and by
 * day, on which the view stands. Readers and writers go on meanwhile: on SQLite, which has one
 * writer, in steps of 4000 changes, between which others write. A rebuild reads the whole ledger.
 * On PostgreSQL others go on saving; on SQLite it does a day at a time, and others write between
 * the days. What is left when the time is up, or after a failure, the next call does; a rebuild
 * begins anew. Nothing calls it by itself: the application does, or a timer that runs `conversation
 * usage refresh`. On PostgreSQL the view shows what was committed before the last refresh; it is a
 * plain view, which REFRESH MATERIALIZED VIEW refuses: this call takes its place. On
 * SQLite it is exact at any moment, and a refresh makes reading it fast; its costs are decimal
 * numbers as text, as in every table there. conv_usage_sum never needs it: it asks the ledger.
 * `params` may be NULL; `hours` receives how many rows of hour, service and operation changed (on
 * SQLite one counts in each step that changes it, and in a rebuild all count), and how many days a
 * rebuild mended that were not the sums of their hours; may be NULL; `error` may be NULL.
 * CONV_INVALID_ARGUMENT: params not begun with its macro, a negative timeout. CONV_PERMISSION: only
 * the schema's owner may refresh, and no client opened read_only. CONV_UNAVAILABLE, CONV_TIMEOUT:
 * the store did not answer in time. CONV_LIMIT: no connection became free, or a sum passes its
 * type. CONV_NO_MEMORY. Thread: any; several at once do it one after the other. Round trips: 2
 * (PostgreSQL). */
CONV_WARN_UNUSED conv_status conv_usage_refresh(conv_client *client,
                                                const conv_refresh_params *params, int64_t *hours,
                                                conv_error *error);

/* What is summed, in three ways that must agree. */
typedef enum conv_account {
    CONV_ACCOUNT_LEDGER = 0, /* every row of usage_logs */
    CONV_ACCOUNT_SUMMARY,    /* daily_usage_summary, and what its next refresh will add */
    CONV_ACCOUNT_SESSIONS    /* the totals of each session, and of what belongs to none. Tokens and
                                cost are in usage_logs alone, so they can't differ from the
                                ledger's; a saved exchange counts as a record also if its usage
                                is missing or says another session */
} conv_account;

/* Exact. A sum counts known values only. */
typedef struct conv_account_sums {
    int64_t records;
    int64_t total_tokens;  /* means nothing unless `reported` */
    conv_decimal cost_usd; /* means nothing unless `priced` */
    bool reported;         /* false: there are records, and of none the tokens are known */
    bool priced;           /* likewise of the price */
} conv_account_sums;

/* One thing that does not agree. Everything belongs to the reconciliation. */
typedef struct conv_difference {
    conv_bytes relation; /* where: "daily_usage_summary", "usage_hourly", "usage_logs" or
                            "chat_sessions" */
    conv_bytes field;    /* what: the column, or "records" */
    conv_bytes date;     /* of a day of UTC: YYYY-MM-DD; else absent, as the next two */
    conv_bytes service;
    conv_bytes operation;
    conv_bytes session_id; /* of a session: in the application's spelling where it is known */
    conv_bytes wanted; /* a decimal number: what the ledger, or the session's rows, say; absent for
                          NULL or a missing row */
    conv_bytes found;
} conv_difference;

/* Start from CONV_RECONCILE_PARAMS_INIT. */
typedef struct conv_reconcile_params {
    size_t size;
    int64_t timeout_ms; /* 0: the client's store_timeout_ms; it reads everything */
    size_t limit;       /* differences of each kind at most; 0: 10000 */
} conv_reconcile_params;

#define CONV_RECONCILE_PARAMS_INIT                                                                 \
    {                                                                                              \
        sizeof(conv_reconcile_params), 0, 0                                                        \
    }

typedef struct conv_reconciliation conv_reconciliation;

/* Compares, at one moment and while others save: each day of the summary, and the hours under it,
 * with the ledger; the exchanges of each session with their usage records, which may be missing or
 * belong to another session; each session's message_count with its messages. What is wrong in both
 * the ledger and its sums, because another program changed a record, can't be seen. Changes
 * nothing. `params` may be NULL; `result` receives the answer, to be freed with
 * conv_reconciliation_free, NULL after a failure; `error` may be NULL. That something differs is no
 * failure: CONV_OK. CONV_INVALID_ARGUMENT: params not begun with its macro, a negative timeout.
 * Other statuses as conv_usage_sum. Thread: any. Round trips: 1 (PostgreSQL). */
CONV_WARN_UNUSED conv_status conv_reconcile(conv_client *client,
                                            const conv_reconcile_params *params,
                                            conv_reconciliation **result, conv_error *error);

/* Whether nothing differs. Thread: any. */
bool conv_reconciliation_agrees(const conv_reconciliation *result);

/* The sums of one account; NULL for a number that is none. Thread: any. */
const conv_account_sums *conv_reconciliation_sums(const conv_reconciliation *result,
                                                  conv_account account);

/* Records that the summary's next refresh will add, negative where it takes some away; always 0 on
 * SQLite. Thread: any. */
int64_t conv_reconciliation_pending(const conv_reconciliation *result);

/* How many differences are named, the n-th of them (from 0; NULL past the end), and whether there
 * are more than the limit. Thread: any. */
size_t conv_reconciliation_count(const conv_reconciliation *result);
const conv_difference *conv_reconciliation_difference(const conv_reconciliation *result,
                                                      size_t index);
bool conv_reconciliation_has_more(const conv_reconciliation *result);

/* Frees the result and all it gave out; NULL is allowed. Thread: owner. */
void conv_reconciliation_free(conv_reconciliation *result);

#ifdef __cplusplus
}
#endif
#endif
