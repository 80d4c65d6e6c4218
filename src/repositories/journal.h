/* The journal's entries: what was accepted and is not committed in the store yet. An implementation
 * holds SQL and nothing else; when what is written and read again is decided in the saving room. */
#ifndef CONV__REPOSITORIES_JOURNAL_H
#define CONV__REPOSITORIES_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/bytes.h"
#include "conversation/status.h"
#include "conversation/uuid.h"
#include "core/memory.h"

/* These numbers order nothing and are stored as words. */
typedef enum conv__journal_kind {
    CONV__JOURNAL_TURN,     /* noted before the provider is asked */
    CONV__JOURNAL_EXCHANGE, /* waits for the store */
    CONV__JOURNAL_USAGE,    /* a usage record that waits for the store */
    CONV__JOURNAL_DEAD      /* refused by the store for good */
} conv__journal_kind;

typedef struct conv__journal_entry {
    int64_t entry_id; /* output: the order of acceptance */
    conv__journal_kind kind;
    conv_uuid session_id;
    conv_uuid item_id;  /* the exchange's or the usage record's id */
    bool is_usage;      /* which of the two; a dead letter keeps it */
    bool compare_reply; /* see conv__save */
    conv_bytes record;  /* see saving/record.h */
    char sqlstate[6];   /* why it is dead */
    conv_bytes reason;
    int64_t created_us; /* when it was accepted */
} conv__journal_entry;

/* One change. What was acknowledged is never replaced by what comes later under its ids:
 *
 * - PUT replaces a turn, and keeps its entry_id, so that an exchange keeps the place of the turn
 * that it came from, but not its time: what was deleted before it was accepted does not concern it;
 * a dead letter replaces the entry with the same record, and the other way.
 * - REPLACE replaces nothing but the exchange with the record `replaced`.
 * - ADD replaces nothing.
 * - REMOVE takes out the entry of this kind and, unless `record` is absent, with this record.
 *
 * The ids of exchanges and those of usage records are apart from each other. Where the ids hold
 * anything else, nothing is changed and `unchanged` says so. */
typedef struct conv__journal_change {
    enum { CONV__JOURNAL_PUT, CONV__JOURNAL_REPLACE, CONV__JOURNAL_ADD, CONV__JOURNAL_REMOVE } what;
    conv__journal_entry entry; /* for REMOVE the two ids, is_usage, kind and record */
    conv_bytes replaced;       /* for REPLACE */
    bool unchanged;            /* output */
} conv__journal_change;

typedef struct conv__journal_counts {
    int64_t turns;
    int64_t exchanges;
    int64_t usage;
    int64_t dead;
    int64_t oldest_us; /* of what waits for the store; 0: nothing does */
    int64_t bytes;     /* of the file and its log */
    int64_t last_id;   /* greatest entry_id; 0: none */
    int64_t lost;      /* at closing: usage records that no journal could keep */
} conv__journal_counts;

/* A list ends behind the entry with which its records become larger than this. */
#define CONV__JOURNAL_LIST_BYTES ((size_t)8 << 20)

typedef struct conv__journal_list {
    conv__journal_entry *entries;
    size_t count;
    bool has_more;
} conv__journal_list;

typedef struct conv__journal conv__journal;

/* All are safe to call from any thread. Lists are in the order of entry_id. */
typedef struct conv__journal_functions {
    /* All changes or none; on disk when it answers CONV_OK. CONV_UNAVAILABLE: the disk is full or
     * failed, and none of them counts. */
    conv_status (*apply)(conv__journal *journal, conv__journal_change *changes, size_t count,
                         int64_t deadline_ns, conv_error *error);

    /* At most `limit` and CONV__JOURNAL_LIST_BYTES. */
    conv_status (*list)(conv__journal *journal, const conv__journal_kind *kinds, size_t kind_count,
                        int64_t after_id, size_t limit, int64_t deadline_ns, conv__arena *arena,
                        conv__journal_list *list, conv_error *error);

    /* Likewise the oldest of one kind, without those whose session, or for usage records whose own
     * id, is in `held`: a JSON array of UUIDs. */
    conv_status (*next)(conv__journal *journal, conv__journal_kind kind, conv_bytes held,
                        size_t limit, int64_t deadline_ns, conv__arena *arena,
                        conv__journal_list *list, conv_error *error);

    /* Whether an exchange of this session waits for the store. */
    conv_status (*waits)(conv__journal *journal, conv_uuid session_id, int64_t deadline_ns,
                         bool *waits, conv_error *error);

    /* CONV_NOT_FOUND. */
    conv_status (*find)(conv__journal *journal, conv_uuid session_id, conv_uuid item_id,
                        bool is_usage, int64_t deadline_ns, conv__arena *arena,
                        conv__journal_entry *entry, conv_error *error);

    conv_status (*count)(conv__journal *journal, int64_t deadline_ns, conv__journal_counts *counts,
                         conv_error *error);

    /* When the first that waits for the store was accepted, `held` as for next; 0: nothing waits.
     */
    conv_status (*oldest)(conv__journal *journal, conv_bytes held, int64_t deadline_ns,
                          int64_t *oldest_us, conv_error *error);

    /* Of what is in it, without the room that is free for more; cheap. */
    int64_t (*bytes)(conv__journal *journal);

    void (*close)(conv__journal *journal);
} conv__journal_functions;

struct conv__journal {
    const conv__journal_functions *functions;
};

#endif
