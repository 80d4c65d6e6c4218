/* What is done with sessions beside saving and reading them: tags, archive, branches, erasure. An
 * implementation holds SQL and nothing else. */
#ifndef CONV__REPOSITORIES_SESSIONS_H
#define CONV__REPOSITORIES_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/session.h"
#include "repositories/chat.h"
#include "repositories/documents.h"
#include "repositories/store.h"

/* Which branch, and what of it. */
typedef struct conv__branch_query {
    conv_uuid session_id;
    conv_uuid last;       /* the message it ends with; nil: the session's last one */
    conv_uuid instead_of; /* or it ends before this one */
    int64_t after;        /* a page as in conv__history_query, unless `context` */
    int64_t before;
    size_t limit;
    bool context; /* what conv__turn_state.context is, but of the branch */
} conv__branch_query;

typedef struct conv__branch {
    bool found;        /* false: the session has no message that was named */
    conv_uuid last_id; /* the message it ends with; nil: it is empty */
    conv_role role;    /* of the message `instead_of`; NONE: there is none */
    conv__message_list messages;
} conv__branch;

/* Something that was accepted, to be compared with what was deleted since. */
typedef struct conv__accepted {
    conv_uuid session_id;  /* nil: none */
    conv_uuid user_id;     /* likewise */
    conv_uuid document_id; /* likewise; asked for where only erasures count, with its session */
    int64_t accepted_us;
} conv__accepted;

typedef struct conv__session_repository_functions {
    /* CONV_OK; `found` false where there is no such session, valid after commit. */
    conv_status (*set_tag)(conv__session_repository *sessions, conv__transaction *transaction,
                           conv_uuid session_id, conv_bytes tag, bool present, bool *found,
                           conv_error *error);

    /* `archived_us` 0: not archived. One that is archived already keeps its time. */
    conv_status (*set_archived)(conv__session_repository *sessions, conv__transaction *transaction,
                                conv_uuid session_id, int64_t archived_us, bool *found,
                                conv_error *error);

    conv_status (*read_branch)(conv__session_repository *sessions, conv__transaction *transaction,
                               const conv__branch_query *query, conv__arena *arena,
                               conv__branch *branch, conv_error *error);

    /* The last message of each branch, in the order of the session. */
    conv_status (*list_branches)(conv__session_repository *sessions, conv__transaction *transaction,
                                 conv_uuid session_id, conv__arena *arena, conv__message_list *list,
                                 conv_error *error);

    /* `receipt` and `gone`, the documents that went along, are valid after commit; all zero: there
     * was nothing of this user. */
    conv_status (*erase_user)(conv__session_repository *sessions, conv__transaction *transaction,
                              conv_uuid user_id, conv_uuid pseudonym, int64_t erased_us,
                              conv_delete_receipt *receipt, conv__gone_documents *gone,
                              conv_error *error);

    /* deleted[i]: the session or the user of items[i] was deleted after it was accepted, or, where
     * it names no user, the session erased; with `erased` only what went with the erasure of its
     * user, and documents of theirs, too. */
    conv_status (*find_deleted)(conv__session_repository *sessions, conv__transaction *transaction,
                                const conv__accepted *items, size_t count, bool erased,
                                bool *deleted, conv_error *error);

    /* Of items whose user was erased after they were accepted, and whose session the store neither
     * has nor deleted since: that is remembered as erased with the user who began it, but what
     * others said there is not deleted for it. Its usage records that name no user get the
     * pseudonym; `hidden` receives how many. */
    conv_status (*erase_unsaved)(conv__session_repository *sessions, conv__transaction *transaction,
                                 const conv__accepted *items, size_t count, conv_uuid pseudonym,
                                 int64_t *hidden, conv_error *error);
} conv__session_repository_functions;

struct conv__session_repository {
    const conv__session_repository_functions *functions;
};

#endif
