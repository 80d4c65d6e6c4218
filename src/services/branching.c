/* The branch of a turn. A turn that names no message goes on after the session's last one; only in
 * a session with branches is that more than its last messages. */
#include "services/branching.h"

#include "core/error.h"
#include "services/turn.h"

bool conv__turn_branches(const conv_turn *turn)
{
    return !conv_uuid_is_nil(turn->after) || !conv_uuid_is_nil(turn->instead_of);
}

static bool brings_question(const conv_turn *turn)
{
    bool brings = turn->message.data != NULL;
    for (size_t i = 0; i < turn->message_count && !brings; i++)
        brings = turn->messages[i].role == CONV_ROLE_USER;
    return brings;
}

/* Whoever names the wrong message of the two would get two questions in a row, or an answer to
 * none. An answer that nobody asked for, at the beginning, may make room for a question. */
static conv_status check_place(const conv_turn *turn, const conv__branch *branch, conv_error *error)
{
    const char *wrong = NULL;
    if (branch->role == CONV_ROLE_ASSISTANT && brings_question(turn) &&
        !conv_uuid_is_nil(branch->last_id))
        wrong = "the message to be replaced is an answer: name the question that it answers, or "
                "bring no message to get another answer";
    if (branch->role == CONV_ROLE_USER && turn->message.data == NULL && turn->message_count == 0)
        wrong = "the message to be replaced is a question: bring the one that takes its place, or "
                "name its answer to get another one";
    if (wrong == NULL) return CONV_OK;
    return conv__fail(error, CONV_INVALID_ARGUMENT, CONV__TURN_ACTION, "%s", wrong);
}

conv_status conv__turn_read_branch(conv__transaction *transaction, const conv_turn *turn,
                                   size_t context_limit, conv__arena *arena,
                                   conv__exchange *exchange, conv__turn_state *state,
                                   conv_error *error)
{
    conv__session_repository *sessions = transaction->store->sessions;
    bool branches = conv__turn_branches(turn);
    if (!branches && !state->branched) return CONV_OK;
    const conv__branch_query query = {.session_id = exchange->session.session_id,
                                      .last = turn->after,
                                      .instead_of = turn->instead_of,
                                      .limit = context_limit,
                                      .context = true};
    conv__branch branch = {.found = false};
    conv_status status =
        sessions->functions->read_branch(sessions, transaction, &query, arena, &branch, error);
    if (status != CONV_OK) return status;
    state->context = branch.messages;
    if (context_limit == 0) state->context.count = 0;
    if (!branches) return CONV_OK;
    /* A turn that was saved before may outlive the message that it went on after. */
    if (!branch.found && !state->exchange.found)
        return conv__fail(error, CONV_NOT_FOUND, CONV__TURN_ACTION,
                          "the session has no message with the id of after or instead_of");
    exchange->has_parent = true;
    exchange->parent_id = branch.last_id;
    return state->exchange.found ? CONV_OK : check_place(turn, &branch, error);
}
