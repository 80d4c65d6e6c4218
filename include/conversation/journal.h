/* The journal from outside: what was accepted and is not in the store yet, and what to do about it.
 */
#ifndef CONVERSATION_JOURNAL_H
#define CONVERSATION_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "client.h"
#include "message.h"
#include "status.h"
#include "usage.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A journal's file, opened without its store: to look inside, and to decide about what is stuck. A
 * client that is open has its journal for itself; see conv_client_journal_count for one. */
typedef struct conv_journal conv_journal;

typedef enum conv_journal_kind {
    CONV_JOURNAL_ANY = 0, /* only in a filter */
    CONV_JOURNAL_TURN,    /* noted before the provider was asked; in a file that no live process has
                             open: a turn that was interrupted, without an answer */
    CONV_JOURNAL_EXCHANGE, /* waits for the store */
    CONV_JOURNAL_USAGE,    /* a usage record that waits for the store */
    CONV_JOURNAL_DEAD /* an exchange or a usage record that the store refused for good, or a usage
                         record whose log id another one has that was kept before */
} conv_journal_kind;

/* One entry. Belongs to the page it came from. */
typedef struct conv_journal_entry {
    int64_t entry_id; /* ascending: the order in which things were accepted */
    conv_journal_kind kind;
    bool readable; /* false: its record is damaged or of a newer version; what it held is
                      then absent, and `reason` says why */
    conv_bytes
        session_id;      /* as the application gave it, of a usage record its UUID; absent: none */
    conv_bytes user_id;  /* likewise */
    conv_bytes turn_id;  /* the turn's UUID, 36 characters: the same turn for every call that takes
                            a turn id; absent for a usage record */
    conv_bytes title;    /* of a session that it would make */
    conv_outcome status; /* of an exchange */
    int64_t created_us;
    char sqlstate[6];             /* of a dead letter: why the store refused it, or empty */
    conv_bytes reason;            /* likewise, in words */
    const conv_message *messages; /* of a turn what the user's side said, of an exchange all */
    size_t message_count;
    const conv_usage *usage; /* NULL for a turn: nothing was used yet that anybody knows of */
} conv_journal_entry;

/* What a journal holds. */
typedef struct conv_journal_counts {
    int64_t turns;     /* under way; in a file that no live process has open: interrupted */
    int64_t exchanges; /* wait for the store */
    int64_t usage;     /* usage records that wait for the store */
    int64_t dead;      /* dead letters */
    int64_t buffered;  /* usage records of an open client that were not brought to the store yet */
    int64_t oldest_us; /* when the oldest that waits was accepted; 0: nothing waits */
    int64_t bytes;     /* of the file and its log */
} conv_journal_counts;

/* Which entries. Start from CONV_JOURNAL_FILTER_INIT. */
typedef struct conv_journal_filter {
    size_t size;
    conv_journal_kind kind;
    int64_t after_id; /* `entry_id` of the last entry of the page before; 0: from the oldest */
    size_t limit;     /* 1 to 1000; 0: 50 */
} conv_journal_filter;

#define CONV_JOURNAL_FILTER_INIT                                                                   \
    {                                                                                              \
        sizeof(conv_journal_filter), CONV_JOURNAL_ANY, 0, 0                                        \
    }

typedef struct conv_journal_page conv_journal_page;

/* Opens the journal at `path`, which must exist, for this process alone. Usage records that a dead
 * process had buffered beside it become entries. A damaged file is set aside (see
 * conv_journal_set_aside). `journal` receives the handle, to be given back with
 * conv_journal_close; NULL after a failure; `error` may be NULL. CONV_INVALID_ARGUMENT: no path.
 * CONV_NOT_FOUND: no such file. CONV_STATE: another live process has it open (with
 * CONV_RECOVERY_WAIT), or it is of a newer version or a database of something else. CONV_BAD_DATA:
 * it is no journal. CONV_PERMISSION, CONV_UNAVAILABLE: the file can't be read or written.
 * CONV_NO_MEMORY. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_journal_open(const char *path, conv_journal **journal,
                                               conv_error *error);

/* NULL unless the file was damaged when it was opened: then the name (FILE.damaged-TIME) under
 * which it was kept; what could be read of it was taken over into a new one. Lives as long as the
 * handle. Thread: any. */
const char *conv_journal_set_aside(const conv_journal *journal);

/* Closes the file and frees the handle, not the pages that it gave out; NULL is allowed. In a
 * forked child it frees memory only. Thread: owner. Round trips: none. */
void conv_journal_close(conv_journal *journal);

/* Counts what is in the file. `counts` receives it. CONV_UNAVAILABLE: the file can't be read.
 * CONV_INVALID_ARGUMENT, CONV_STATE (forked), CONV_NO_MEMORY. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_journal_count(conv_journal *journal, conv_journal_counts *counts,
                                                conv_error *error);

/* The same for the journal of an open client: gauges of what is at risk. All zero, except
 * `buffered`, without a journal. Statuses as conv_journal_count. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_client_journal_count(conv_client *client,
                                                       conv_journal_counts *counts,
                                                       conv_error *error);

/* Why what waits in an open client's journal is not in the store yet: `cause` receives the latest
 * failure; its status is CONV_OK when nothing waits, or nothing has failed so far. Statuses as
 * conv_journal_count. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_client_journal_cause(conv_client *client, conv_error *cause,
                                                       conv_error *error);

/* Reads one page, oldest first. `filter` NULL for the first 50 of any kind; `page` receives it, to
 * be freed with conv_journal_page_free; NULL after a failure. A page ends early, with more to
 * follow, when its entries take much memory. An entry whose record can't be read is in the page,
 * with `readable` false. CONV_INVALID_ARGUMENT: limit over 1000, unknown kind. CONV_UNAVAILABLE:
 * the file can't be read. CONV_BAD_DATA: it is damaged. CONV_STATE (forked), CONV_NO_MEMORY.
 * Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_journal_list(conv_journal *journal,
                                               const conv_journal_filter *filter,
                                               conv_journal_page **page, conv_error *error);

/* Reads one entry as a page of one. CONV_NOT_FOUND: there is none with this id. Else as
 * conv_journal_list. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_journal_get(conv_journal *journal, int64_t entry_id,
                                              conv_journal_page **page, conv_error *error);

/* Makes an entry wait for the store again; the next client that opens the file saves it. A dead
 * letter is tried once more as it is. An interrupted turn becomes an exchange with status failed
 * that holds what the user said: the same turn id sent again then gets its answer, once; where the
 * turn is in the store already, that stays as it is. What waits anyway is left alone.
 * CONV_NOT_FOUND: no such entry. CONV_BAD_DATA: its record is damaged. CONV_STATE: the record is of
 * a newer version; or forked. CONV_UNAVAILABLE: the disk is full or failed; nothing was changed.
 * CONV_NO_MEMORY. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_journal_retry(conv_journal *journal, int64_t entry_id,
                                                conv_error *error);

/* Removes an entry for good: what it holds is then nowhere. CONV_NOT_FOUND, CONV_UNAVAILABLE,
 * CONV_STATE, CONV_NO_MEMORY as conv_journal_retry. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_journal_drop(conv_journal *journal, int64_t entry_id,
                                               conv_error *error);

/* "turn", "exchange", "usage" or "dead"; "any" for any other number. Static. Thread: any. */
const char *conv_journal_kind_name(conv_journal_kind kind);

/* Entries in the page. Thread: any. */
size_t conv_journal_page_count(const conv_journal_page *page);

/* Entry `index` (from 0), or NULL past the end; belongs to the page. Thread: any. */
const conv_journal_entry *conv_journal_page_entry(const conv_journal_page *page, size_t index);

/* Whether entries follow after this page. Thread: any. */
bool conv_journal_page_has_more(const conv_journal_page *page);

/* Frees the page and all it gave out; NULL is allowed. Thread: owner. */
void conv_journal_page_free(conv_journal_page *page);

#ifdef __cplusplus
}
#endif
#endif
