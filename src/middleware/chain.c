/* Running a chain: one step after the other, and what a step that breaks the rules comes to. What
 * the steps do stands elsewhere. */
#include "middleware/chain.h"

#include <string.h>

#include "core/error.h"
#include "core/time.h"
#include "services/reply.h"
#include "services/turn.h"

#define ACTION CONV__TURN_ACTION

typedef struct chain_run {
    const conv__chain *chain;
    conv_error misuse; /* what a step did against the rules; CONV_OK: nothing */
} chain_run;

struct conv_next {
    chain_run *run;
    size_t index; /* of the step that has it */
    size_t end;   /* of the steps that surround the same */
    bool ran;
    conv_error inside; /* how the steps behind ended */
};

static const conv_middleware_functions *functions_of(const chain_run *run, size_t index)
{
    return run->chain->steps[index]->functions;
}

const conv__chain *conv__next_chain(const conv_next *next)
{
    return next->run->chain;
}

static bool has_answer(const conv_call *call)
{
    return call->answered == CONV__ANSWERED_BY_PROVIDER || call->answered == CONV__ANSWERED_BY_STEP;
}

/* Whether anything was spent on the turn, so that a record of it must stay. */
static bool was_asked(const conv_call *call)
{
    return call->response != NULL;
}

static conv_status misuse(chain_run *run, size_t index, const char *what, conv_error *error)
{
    if (run->misuse.status == CONV_OK)
        conv__fail(&run->misuse, CONV_STATE, ACTION, "step '%s' of the chain %s",
                   functions_of(run, index)->name, what);
    if (error != NULL) *error = run->misuse;
    return CONV_STATE;
}

static bool is_line(const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    if (length == 0 || length == size) return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ') return false;
    return true;
}

/* A step's failure as the caller will see it: whole, in one line, whatever the step put there. */
static void tidy(const conv_next *next, conv_status status, conv_error *error)
{
    const conv_error *inside = &next->inside;
    if (error->status == status && is_line(error->action, sizeof error->action) &&
        is_line(error->message, sizeof error->message))
        return;
    conv_error own = *error;
    own.message[sizeof own.message - 1] = '\0';
    own.action[sizeof own.action - 1] = '\0';
    if (next->ran && status == inside->status && own.message[0] == '\0') {
        *error = *inside;
        return;
    }
    if ((unsigned)status > CONV_INTERNAL) status = CONV_STATE;
    if (own.message[0] == '\0')
        conv__fail(error, status, ACTION, "step '%s' of the chain refused the turn",
                   functions_of(next->run, next->index)->name);
    else
        conv__fail(error, status, own.action[0] != '\0' ? own.action : ACTION, "%s", own.message);
    if (own.status != status) return;
    if (own.recovery != CONV_RECOVERY_NONE) error->recovery = own.recovery;
    error->outcome_unknown = own.outcome_unknown;
}

/* What a step's answer means. Gives the status that goes on outwards. */
static conv_status judge(const conv_next *next, conv_call *call, conv_status status,
                         conv_error *error)
{
    chain_run *run = next->run;
    bool answered = has_answer(call) && call->answer == CONV_OK;
    bool last = next->index + 1 == next->end;
    if (run->misuse.status != CONV_OK) {
        *error = run->misuse;
        return error->status;
    }
    if (status != CONV_OK) {
        tidy(next, status, error);
        if (answered && !call->saving) conv__call_refuse(call, error);
        return error->status;
    }
    bool saving_steps = next->end == run->chain->count && next->index >= run->chain->answered;
    if (!next->ran && !(saving_steps ? last : call->answered != CONV__ANSWERED_NOT))
        return misuse(run, next->index,
                      saving_steps ? "did not call on: nothing behind it was done"
                                   : "neither called on, nor answered, nor refused: nobody was "
                                     "asked and nothing was saved",
                      error);
    if (!next->ran || next->inside.status == CONV_OK || (answered && !call->saving) ||
        (call->saving && call->reply->saved != CONV_SAVED_NOT)) {
        conv__error_clear(error);
        return CONV_OK;
    }
    *error = next->inside; /* it stands: nobody has answered */
    return error->status;
}

static conv_status run_steps(chain_run *run, conv_call *call, size_t index, size_t end,
                             conv_error *error)
{
    if (index == end) return CONV_OK;
    conv_next next = {.run = run, .index = index, .end = end};
    const char *outer = call->step;
    conv__error_clear(error);
    call->step = functions_of(run, index)->name;
    conv_status status =
        functions_of(run, index)->handle(run->chain->steps[index], call, &next, error);
    status = judge(&next, call, status, error);
    call->step = outer;
    return status;
}

conv_status conv_next_run(conv_next *next, conv_call *call, conv_error *error)
{
    chain_run *run = next->run;
    conv_error unused;
    if (error == NULL) error = &unused;
    if (next->ran) return misuse(run, next->index, "called on twice", error);
    bool before_answer = next->index < run->chain->answered;
    if (before_answer && call->answered != CONV__ANSWERED_NOT)
        return misuse(run, next->index, "answered and then called on", error);
    next->ran = true;
    conv_status status;
    if (before_answer && conv__deadline_passed(call->deadline_ns))
        status = conv__fail(error, CONV_TIMEOUT, ACTION,
                            "the turn's deadline had passed when step '%s' of the chain called on; "
                            "nobody was asked",
                            call->step);
    else
        status = run_steps(run, call, next->index + 1, next->end, error);
    if (status != CONV_OK)
        next->inside = *error;
    else
        conv__error_clear(error);
    return status;
}

conv_status conv__chain_save(const conv__chain *chain, conv_call *call, conv_error *error)
{
    const char *outer = call->step;
    conv__call_settle(call);
    for (size_t i = 0; i < chain->count; i++) {
        const conv_middleware_functions *functions = chain->steps[i]->functions;
        if (functions->before_save == NULL) continue;
        chain_run run = {.chain = chain};
        const conv_next next = {.run = &run, .index = i, .end = chain->count};
        conv_error details = CONV_ERROR_INIT;
        call->step = functions->name;
        conv_status status = functions->before_save(chain->steps[i], call, &details);
        call->step = outer;
        if (status == CONV_OK) continue;
        tidy(&next, status, &details);
        if (call->answer == CONV_OK) conv__call_refuse(call, &details);
        if (!was_asked(call)) {
            *error = details;
            return details.status;
        }
    }
    conv__call_settle(call);
    return conv__call_save(call, error);
}

/* The steps that surround the saving; and the saving itself, if they did not get there. What was
 * asked and paid for leaves its record in any case. */
static conv_status save(chain_run *run, conv_call *call, conv_error *error)
{
    const conv__chain *chain = run->chain;
    run->misuse = (conv_error)CONV_ERROR_INIT;
    conv__call_settle(call);
    conv_status status = run_steps(run, call, chain->answered, chain->count, error);
    if (!chain->plan.stores || call->saving) return status;
    if (status != CONV_OK && call->answer == CONV_OK) conv__call_refuse(call, error);
    if (status != CONV_OK && !was_asked(call)) return status;
    return conv__chain_save(chain, call, error);
}

/* The steps that surround the answer. CONV_OK: there is one, or a failure of one, to be saved. */
static conv_status answer(chain_run *run, conv_call *call, conv_error *error)
{
    conv_status status = run_steps(run, call, 0, run->chain->answered, error);
    if (call->answered == CONV__ANSWERED_NOT && status == CONV_OK)
        return conv__fail(error, CONV_STATE, ACTION,
                          "no step of the chain answers: nobody was asked and nothing was saved");
    if (!has_answer(call) || status == CONV_OK) return status;
    if (!was_asked(call)) {
        call->answered = CONV__ANSWERED_NOT; /* a step's answer, refused by another */
        return status;
    }
    /* Where the provider failed, its error is what the steps around it made of it. */
    if (call->answer == CONV_OK)
        conv__call_refuse(call, error);
    else
        call->answer_error = *error;
    call->answer = status;
    return CONV_OK;
}

/* The reply, if there is one, and how the call ends. */
static conv_status finish(conv_call *call, conv_status status, conv_reply **reply,
                          conv_error *error)
{
    bool stored = !call->plan.stores || call->reply->saved != CONV_SAVED_NOT;
    bool refused = call->reply->repeat && !call->saving && status != CONV_OK;
    if (call->answered == CONV__ANSWERED_NOT || !stored || refused) {
        conv__call_announce(call, error);
        conv_reply_free(call->reply);
        return status;
    }
    *reply = call->reply;
    if (call->answer != CONV_OK && !call->reply->repeat) {
        *error = call->answer_error;
        status = call->answer;
    }
    conv__call_announce(call, status != CONV_OK ? error : NULL);
    return status;
}

conv_status conv__process_message(const conv__conversation *service, const conv_turn *turn,
                                  conv_reply **reply, conv_error *error)
{
    chain_run run = {.chain = service->chain != NULL ? service->chain : conv__chain_default()};
    conv_error unused;
    conv_call call;
    if (error == NULL) error = &unused;
    *reply = NULL;
    conv_status status = conv__call_begin(&call, service, run.chain->plan, turn, error);
    if (status != CONV_OK) {
        conv_reply_free(call.reply);
        conv__call_end(&call);
        return status;
    }
    status = answer(&run, &call, error);
    if (status == CONV_OK && has_answer(&call)) status = save(&run, &call, error);
    status = finish(&call, status, reply, error);
    conv__call_end(&call);
    return status;
}
