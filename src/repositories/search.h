/* The words of messages. An implementation holds SQL and nothing else. */
#ifndef CONV__REPOSITORIES_SEARCH_H
#define CONV__REPOSITORIES_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/search.h"
#include "core/memory.h"
#include "repositories/store.h"

/* Words that stand together: letters, digits and single blanks between, well-formed UTF-8. */
typedef struct conv__search_term {
    conv_bytes words;
    bool prefix; /* the last one may go on */
} conv__search_term;

/* Keyset page, newest first. */
typedef struct conv__search_query {
    const conv__search_term *terms; /* at least one */
    size_t term_count;
    conv_uuid session_id; /* nil: any */
    conv_uuid user_id;    /* of the session; nil: any */
    conv_archived archived;
    size_t limit;
    int64_t after_us; /* 0: from the newest */
    conv_uuid after_id;
    int64_t after_position;
} conv__search_query;

/* `text` is the indexed one; the hit's snippet is made of it. */
typedef struct conv__search_row {
    conv_search_hit hit;
    conv_bytes text;
} conv__search_row;

typedef struct conv__search_list {
    conv__search_row *rows;
    size_t count;
    bool has_more;
    bool complete; /* nothing waits to be indexed */
} conv__search_list;

typedef struct conv__search_repository_functions {
    /* Indexes some of what waits, a second's work at most; `more` is valid after commit. */
    conv_status (*index)(conv__search_repository *search, conv__transaction *transaction,
                         bool *more, conv_error *error);

    conv_status (*find)(conv__search_repository *search, conv__transaction *transaction,
                        const conv__search_query *query, conv__arena *arena,
                        conv__search_list *list, conv_error *error);

    /* Takes the bytes of words that were deleted out of the index, a part of a second's work;
     * `more` is valid after commit. NULL: the server does so by itself. */
    conv_status (*purge)(conv__search_repository *search, conv__transaction *transaction,
                         bool *more, conv_error *error);
} conv__search_repository_functions;

struct conv__search_repository {
    const conv__search_repository_functions *functions;
};

#endif
