/* One turn under way, and the pieces that it is made of. The steps of the chain put them in order
 * (src/middleware); the rules of each piece stand here. Holds no SQL. */
#ifndef CONV__SERVICES_CALL_H
#define CONV__SERVICES_CALL_H

#include "conversation/middleware.h"
#include "repositories/summaries.h"
#include "services/conversation.h"

typedef conv_provider_response conv__response;

/* Which of its pieces a turn goes through: what the chain has steps for. */
typedef struct conv__call_plan {
    bool asks;      /* the provider */
    bool stores;    /* in the journal and in the store */
    bool announces; /* what became of it */
} conv__call_plan;

/* Where the reply comes from. */
typedef enum conv__answered {
    CONV__ANSWERED_NOT = 0,
    CONV__ANSWERED_BY_PROVIDER, /* or by its failure */
    CONV__ANSWERED_BY_STEP,
    CONV__ANSWERED_BEFORE /* saved before this call */
} conv__answered;

/* What the caller will see lives in the reply's arena, what steps have set in `arena`. */
struct conv_call {
    const conv__conversation *service;
    conv__call_plan plan;
    conv_turn turn; /* as it stands; its messages are `request` */
    conv_message *request;
    size_t request_count;
    const char *step; /* the one at work */
    int64_t deadline_ns;
    conv__arena arena;
    conv__arena read_arena; /* of the last question to the store */
    conv_reply *reply;
    conv__exchange exchange;

    bool validated; /* ids are made */
    bool looked_up; /* context and what is saved under the turn id are read */
    bool fixed;     /* what the user's side says is final, and its rows are made */
    bool resolved;  /* it is known whether the turn was saved before */
    bool noted;     /* in the journal, before the provider was asked */
    bool saving;    /* saving has begun: the reply is final */
    bool announced;
    bool save_tried;
    conv__save save; /* its exchange is this call's */
    int64_t save_us;

    bool waits; /* the journal has the exchange, which is in `waiting` */
    conv__turn_state waiting;
    conv__turn_state state; /* what the store has */
    const conv_message *context;
    size_t context_count;
    bool context_set;           /* by a step */
    conv__summary_list summary; /* of what was said before the context */
    int64_t uncovered_tokens;   /* of the context that was read, but for what the summary covers */

    conv_provider *provider;
    conv__response *response;
    conv__answered answered;
    const char *answered_by;
    conv_status answer; /* how the answer ended */
    conv_error answer_error;
    conv_bytes answer_model;
    conv_usage said;   /* what the answer used, as it was told */
    conv_usage draft;  /* for conv_call_usage */
    conv_usage record; /* what is to be saved of it */
    bool has_record;
};

/* Takes the turn over. CONV_INVALID_ARGUMENT: it can't be read, or says nothing. CONV_NO_MEMORY. In
 * either case conv__call_end is due. */
CONV_WARN_UNUSED conv_status conv__call_begin(conv_call *call, const conv__conversation *service,
                                              conv__call_plan plan, const conv_turn *turn,
                                              conv_error *error);

/* Frees all but the reply, which is the caller's if it takes it out of `call`. */
void conv__call_end(conv_call *call);

/* Checks the turn's settings and makes its ids. Once; asks nobody. */
CONV_WARN_UNUSED conv_status conv__call_validate(conv_call *call, conv_error *error);

/* Makes the rows of what the user's side says, and their hash; nothing of it changes any more.
 * Once. */
CONV_WARN_UNUSED conv_status conv__call_fix(conv_call *call, conv_error *error);

/* Reads the context and what is saved under the turn id. Once. */
CONV_WARN_UNUSED conv_status conv__call_look_up(conv_call *call, conv_error *error);

/* Fixes, looks up and compares: then call->answered says whether the turn was saved before, and is
 * done with it. CONV_CONFLICT: with other messages. Once. */
CONV_WARN_UNUSED conv_status conv__call_resolve(conv_call *call, conv_error *error);

/* Takes over what the journal or the store has of this turn after a save found it there, within
 * the store's timeout. A failure says error->outcome_unknown: the reply is not what is stored. */
CONV_WARN_UNUSED conv_status conv__call_read_saved(conv_call *call, bool journaled,
                                                   conv_error *error);

/* Resolves, notes the question in the journal, asks the provider and takes what it answered. With
 * call->answered set, the status is how the provider ended; else nobody was asked. */
CONV_WARN_UNUSED conv_status conv__call_ask(conv_call *call, conv_error *error);

/* Messages into the reply, with ids, times and model. CONV_INVALID_ARGUMENT, CONV_LIMIT: they can't
 * be saved. */
CONV_WARN_UNUSED conv_status conv__call_set_reply(conv_call *call, const conv_message *messages,
                                                  size_t count, conv_error *error);

/* A step refuses, or breaks, a turn whose answer is there: the answer is dropped. */
void conv__call_refuse(conv_call *call, const conv_error *why);

/* The outcome of the reply and of its messages, from how the answer ended. */
void conv__call_settle(conv_call *call);

/* Makes and prices the usage record, unless a step has set one. */
void conv__call_make_record(conv_call *call);

/* The record without a price, as far as the answer is known. */
void conv__call_draft_record(conv_call *call, conv_usage *usage);

/* Saves the exchange; afterwards the reply says where it is. */
CONV_WARN_UNUSED conv_status conv__call_save(conv_call *call, conv_error *error);

/* Gives the record of an exchange that is not stored to the tracker. */
CONV_WARN_UNUSED conv_status conv__call_track(conv_call *call, conv_error *error);

/* Tells what became of the turn, once, and never of a repeat. `error` NULL: as the answer ended. */
void conv__call_announce(conv_call *call, const conv_error *error);

#endif
