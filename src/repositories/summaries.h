/* Summaries in a store. An implementation holds SQL and nothing else. */
#ifndef CONV__REPOSITORIES_SUMMARIES_H
#define CONV__REPOSITORIES_SUMMARIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/summary.h"
#include "repositories/rows.h"
#include "repositories/store.h"

/* Keyset page, newest first. */
typedef struct conv__summary_query {
    conv_uuid session_id; /* nil: any */
    size_t limit;
    int64_t after_us; /* 0 and nil: from the newest */
    conv_uuid after_id;
} conv__summary_query;

typedef struct conv__summary_list {
    conv_summary *summaries; /* restored by conv__summary_from_row */
    size_t count;
    bool has_more;
} conv__summary_list;

/* What a summary is made of. */
typedef struct conv__summary_basis {
    conv_uuid session_id;
    const conv_uuid *messages;
    size_t count;
    conv_uuid earlier_id; /* the summary that it goes on from; nil: none */
} conv__summary_basis;

typedef struct conv__summary_repository_functions {
    /* Keeps deletions of the session, and of what anybody said in it, out until the transaction
     * ends. `found`, valid once the store has answered: all of the basis is still there. */
    conv_status (*hold)(conv__summary_repository *summaries, conv__transaction *transaction,
                        const conv__summary_basis *basis, bool *found, conv_error *error);

    /* In a transaction that holds all that it was made of: what was deleted must not come back. */
    conv_status (*save)(conv__summary_repository *summaries, conv__transaction *transaction,
                        const conv__summary_row *row, conv_error *error);

    conv_status (*list)(conv__summary_repository *summaries, conv__transaction *transaction,
                        const conv__summary_query *query, conv__arena *arena,
                        conv__summary_list *list, conv_error *error);

    /* The one that covers most of the branch that ends with message `last`, or before `instead_of`,
     * or with the session (both nil); an empty list where there is none. */
    conv_status (*find)(conv__summary_repository *summaries, conv__transaction *transaction,
                        conv_uuid session_id, conv_uuid last, conv_uuid instead_of,
                        conv__arena *arena, conv__summary_list *list, conv_error *error);
} conv__summary_repository_functions;

struct conv__summary_repository {
    const conv__summary_repository_functions *functions;
};

#endif
