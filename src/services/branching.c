/* The branch of a turn. A turn that names no message goes on after the session's last one; only in
 * a session with branches is that more than its last messages. */
#include "services/branching.h"

#include "core/error.h"
#include "services/turn.h"

bool conv__turn_branches(const conv_turn *turn)
{
    return !conv_uuid_is_nil(turn->after) || !conv_uuid_is_nil(turn->instead_of);
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
    return CONV_OK;
}
