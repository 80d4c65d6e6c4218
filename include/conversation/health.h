/* Health: whether messages are really being saved, and what stands behind that. */
#ifndef CONVERSATION_HEALTH_H
#define CONVERSATION_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct conv_client conv_client;

typedef enum conv_health_state {
    CONV_HEALTH_UNKNOWN = 0, /* not looked at, not in time, or there is no such thing here */
    CONV_HEALTH_OK,
    CONV_HEALTH_DEGRADED, /* it works, and somebody should look at it */
    CONV_HEALTH_FAILING   /* it does not work */
} conv_health_state;

/* How long the steps of a test exchange took, in microseconds; CONV_UNKNOWN: not reached. */
typedef struct conv_save_latency {
    int64_t write_us; /* until the store had confirmed the commit */
    int64_t read_us;
    int64_t remove_us;
} conv_save_latency;

/* Saves a test exchange on the way that real ones take (the writer, a transaction, a commit), reads
 * it back, compares it and removes it. It waits in no journal and is told as no event. Afterwards
 * it is in no session, history or sum (what usage_hourly_changes says of it, once added and once
 * taken back, the next conv_usage_refresh takes away); a reader may see it in between, as a failed
 * exchange of service "health" without tokens. What can't be removed, because the store broke in
 * between, is removed by the next check or by closing the client; only a process that dies in that
 * moment leaves it, as a session with the title "health check". `timeout_ms` for all of it, waiting
 * for another check included, 0: 5000; `latency` may be NULL; `error` may be NULL. CONV_OK: it was
 * saved, and came back as it was. CONV_BAD_DATA: it came back otherwise. CONV_STATE: the client was
 * opened with read_only. CONV_TIMEOUT: also when another check took all of the time. Else the
 * status of the step that failed, as conv_save_exchange without a journal. CONV_INVALID_ARGUMENT,
 * CONV_STATE, CONV_NO_MEMORY. Thread: any; one check at a time, others wait for it. Round trips: 3.
 */
CONV_WARN_UNUSED conv_status conv_health_check_database_saves(conv_client *client,
                                                              int64_t timeout_ms,
                                                              conv_save_latency *latency,
                                                              conv_error *error);

/* Asks the client's provider once, with a question of a few words and outside of any session: what
 * this costs is spent because it was asked for, and nothing else in health asks a provider. Nothing
 * is saved but the usage record, with service "health" and operation "check". A failure makes the
 * check "provider" degraded at once, until the provider's next answer to anybody. `timeout_ms` 0:
 * 60000; `latency_us` receives how long the provider took, CONV_UNKNOWN if it was not asked; may be
 * NULL; `error` may be NULL. CONV_OK: it answered. CONV_INVALID_ARGUMENT: the client has no
 * provider, or the timeout is negative. CONV_STATE: the client was opened with read_only, or is
 * closing or forked. Else the provider's failure, see provider.h; or, after an answer, a status of
 * conv_track_usage. CONV_NO_MEMORY. Thread: any. Round trips: none; one request, more when the
 * provider retries. */
CONV_WARN_UNUSED conv_status conv_health_check_provider(conv_client *client, int64_t timeout_ms,
                                                        int64_t *latency_us, conv_error *error);

/* What to look at. Start from CONV_HEALTH_PARAMS_INIT. */
typedef struct conv_health_params {
    size_t size;
    int64_t timeout_ms;     /* for each question to the store; 0: 5000 */
    int64_t journal_age_ms; /* of what waits in the journal; older is degraded; 0: 60000 */
} conv_health_params;

#define CONV_HEALTH_PARAMS_INIT                                                                    \
    {                                                                                              \
        sizeof(conv_health_params), 0, 0                                                           \
    }

/* One check. Belongs to the reading that it came from. */
typedef struct conv_health_check {
    const char *name; /* static; see conv_health_read */
    conv_health_state state;
    int64_t value;       /* what was counted, or CONV_UNKNOWN; of the provider failures in a row */
    const char *unit;    /* of the value; "" without one; static */
    int64_t latency_us;  /* how long looking took where the store was asked; of the provider how
                            long its last call took; or CONV_UNKNOWN */
    const char *message; /* why, or what; one line, lower case, no secrets */
} conv_health_check;

/* One reading. One block with one free. */
typedef struct conv_health conv_health;

/* Looks at everything, one check after the other:
 * "database_saves" (see above; unknown with read_only), "schema" (its version is this library's),
 * "pool" (degraded: all connections are used and callers wait; unknown on SQLite), "writer"
 * (degraded: more exchanges wait than 16 transactions take along), "journal" (degraded: something
 * waits for longer than journal_age_ms, there are dead letters, or nine tenths of journal_bytes
 * are full; failing: the file can't be read; unknown without one, or when it was in use for all of
 * the second that counting waits), "tracker" (degraded: ten times as many records are buffered as
 * start a flush, and at least 1000), "provider" (how turns and summaries got on with it, nobody is
 * asked for this; degraded: the last three calls to one of the providers or more have failed, or
 * the last conv_health_check_provider did, until that provider's next answer; never failing,
 * because a turn without an answer is saved all the same; unknown: none is configured and none was
 * asked). A call that the caller cancelled, or that ran out of memory or had wrong words, is no
 * failure. Providers are told apart by their names. A check whose state differs from the reading
 * before is told as the event health.changed, and so is the whole; before the first reading all
 * counts as ok. `params` NULL for the defaults; `health` receives the reading, to be freed with
 * conv_health_free; NULL after a failure; `error` may be NULL. CONV_OK: it was read, whatever it
 * says. CONV_INVALID_ARGUMENT, CONV_STATE (closing or forked), CONV_NO_MEMORY. Thread: any; of
 * readings at once one after the other checks saving, as above. Round trips: 4. */
CONV_WARN_UNUSED conv_status conv_health_read(conv_client *client, const conv_health_params *params,
                                              conv_health **health, conv_error *error);

/* The worst of all checks; unknown ones do not count. Thread: any. */
conv_health_state conv_health_overall(const conv_health *health);

/* Whether the process is all right by itself: false only when its journal can't be read, which
 * restarting it may mend. A store that is away is no reason to restart. Thread: any. */
bool conv_health_is_live(const conv_health *health);

/* Whether it can do its work, saving, now: nothing is failing. A provider that does not answer
 * changes nothing here. Thread: any. */
bool conv_health_is_ready(const conv_health *health);

/* Checks in the reading. Thread: any. */
size_t conv_health_check_count(const conv_health *health);

/* Check `index` (from 0), or NULL past the end; belongs to the reading. Thread: any. */
const conv_health_check *conv_health_check_at(const conv_health *health, size_t index);

/* "unknown", "ok", "degraded" or "failing". Static. Thread: any. */
const char *conv_health_state_name(conv_health_state state);

/* NULL is allowed. Thread: owner. */
void conv_health_free(conv_health *health);

#ifdef __cplusplus
}
#endif
#endif
