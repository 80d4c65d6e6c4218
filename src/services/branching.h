/* Where a turn branches off, and the context of its branch. Holds no SQL. */
#ifndef CONV__SERVICES_BRANCHING_H
#define CONV__SERVICES_BRANCHING_H

#include "conversation/turn.h"
#include "repositories/sessions.h"

/* Whether the turn says where it goes on. */
bool conv__turn_branches(const conv_turn *turn);

/* Inside the question that has read `state`: of a turn that branches sets the exchange's parent,
 * and where the session has branches replaces the context by that of the turn's own.
 * CONV_NOT_FOUND: the session has no message that the turn names. CONV_INVALID_ARGUMENT: a question
 * can't take the place of an answer, nor nothing that of a question. */
CONV_WARN_UNUSED conv_status conv__turn_read_branch(conv__transaction *transaction,
                                                    const conv_turn *turn, size_t context_limit,
                                                    conv__arena *arena, conv__exchange *exchange,
                                                    conv__turn_state *state, conv_error *error);

#endif
