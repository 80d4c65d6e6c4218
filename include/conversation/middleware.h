/* Middleware: the steps that a turn passes, ready-made ones and the interface to write your own. */
#ifndef CONVERSATION_MIDDLEWARE_H
#define CONVERSATION_MIDDLEWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "client.h"
#include "message.h"
#include "status.h"
#include "turn.h"
#include "usage.h"

#ifdef __cplusplus
extern "C" {
#endif

/* conv_process_message is a chain of steps. Without a setting it is
 *
 *     validate_ids, provider, save_to_database, track_usage, publish
 *
 * and `chain` of conv_client_params names another one, in order: with steps of your own, without
 * some of these, or with others in their place.
 *
 * A step surrounds the steps behind it: what it does before conv_next_run happens on the way in,
 * what it does after it on the way out. The way out turns round twice. Steps up to `provider`
 * surround the answer: they have seen the reply, and may have changed it, before anything behind
 * `provider` begins. The steps behind `provider` then surround the saving: one that stands before
 * save_to_database is back when all of it is done, one that stands behind it runs when it is
 * committed. (In a chain without `provider` the first of the last three takes its place.)
 *
 * What leaving out means:
 * validate_ids: the ids are made and the turn is checked all the same, as late as by the first step
 * that needs it. provider: another step must answer. save_to_database: nothing is stored or noted
 * in the journal, and the reply says CONV_SAVED_NOT. track_usage: the exchange is saved with a
 * usage record that has no counts, price or cost, unless a step set one (conv_call_set_usage);
 * where save_to_database is left out, too, there is no record. publish: the turn is no event
 * (events.h), unless it comes through the journal; it is counted all the same.
 *
 * conv_save_exchange and conv_async_submit save what they are given and pass no steps. */
typedef struct conv_middleware conv_middleware;

/* One turn on its way through the chain. Valid while a step handles it, on that thread. */
typedef struct conv_call conv_call;

/* The way on from one step. */
typedef struct conv_next conv_next;

/* The interface. `handle` may be called from many threads at once. It does one of three things:
 * - calls conv_next_run exactly once, and answers what that answered;
 * - answers instead of the provider, by conv_call_answer, and CONV_OK;
 * - refuses: any other status, with `error->message` saying why in one line, without any text of
 *   messages and without keys. Before the provider was asked nothing is saved or noted; afterwards
 *   the reply is dropped, what the user said is saved with status failed, and so is the usage. Once
 *   the exchange is saved it stays as it is, and the caller gets its reply together with the error.
 * A failure from conv_next_run that is answered with CONV_OK stands, unless the step gave an answer
 * of its own. A step that does none of the three, or calls on twice, is a defect: CONV_STATE names
 * it, the provider is not asked (again), and an exchange whose provider was asked is saved as after
 * a refusal. A step must not hold a lock while it calls on that another turn needs, nor give
 * `call` or `next` to another thread.
 *
 * `before_save` (may be NULL) is called when the reply is final and its exchange is about to be
 * saved, wherever the step stands: for what belongs to the same transaction, such as the usage
 * record (conv_call_set_usage). Another status than CONV_OK refuses.
 *
 * `free` (may be NULL) gives back the middleware itself. */
typedef struct conv_middleware_functions {
    const char *name; /* as `conversation doctor` and errors show it */
    conv_status (*handle)(conv_middleware *middleware, conv_call *call, conv_next *next,
                          conv_error *error);
    conv_status (*before_save)(conv_middleware *middleware, conv_call *call, conv_error *error);
    void (*free)(conv_middleware *middleware);
} conv_middleware_functions;

/* First member of every middleware's own struct. */
struct conv_middleware {
    const conv_middleware_functions *functions;
};

/* Goes on with the steps behind this one, and comes back when they have. `next`, `call`, `error` as
 * `handle` got them. CONV_OK; else what the provider, the store or a step behind answered.
 * CONV_TIMEOUT: the turn's deadline passed before this step called on; nobody was asked.
 * CONV_STATE: called for the second time, or after conv_call_answer. Thread: owner.
 * Round trips: those of the steps. */
CONV_WARN_UNUSED conv_status conv_next_run(conv_next *next, conv_call *call, conv_error *error);

/* Frees a middleware; NULL and the five below are allowed. Every client that uses it must be closed
 * before. Thread: owner. */
void conv_middleware_free(conv_middleware *middleware);

/* The steps that every client has; static, and never to be freed. Thread: any. Round trips: none.
 * validate_ids: checks the turn and makes the UUIDs of session, user and turn. */
conv_middleware *conv_middleware_validate_ids(void);

/* provider: reads the context and what is saved under the turn id, notes the question in the
 * journal and asks the provider; a saved reply ends the turn here, and nothing behind runs. Thread:
 * any. */
conv_middleware *conv_middleware_provider(void);

/* save_to_database: session, messages and usage record in one transaction; calls on when that is
 * committed or journaled. Thread: any. */
conv_middleware *conv_middleware_save_to_database(void);

/* track_usage: makes and prices the usage record that is saved with the exchange; in a chain
 * without save_to_database it gives the record to the tracker (tracking.h). Thread: any. */
conv_middleware *conv_middleware_track_usage(void);

/* publish: tells that the exchange is saved or journaled, or failed. Once for each exchange, never
 * for a repeat. Thread: any. */
conv_middleware *conv_middleware_publish(void);

/* The application's own function as a step; duties as `handle`. */
typedef conv_status (*conv_middleware_function)(void *context, conv_call *call, conv_next *next,
                                                conv_error *error);

/* Wraps a function. `name` is copied, `context` is handed to each call and never touched;
 * `middleware` receives it, to be freed with conv_middleware_free, NULL after a failure; `error`
 * may be NULL. CONV_INVALID_ARGUMENT: name or function is NULL, or the name is empty or longer than
 * 63 bytes. CONV_NO_MEMORY. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_middleware_callback(const char *name,
                                                      conv_middleware_function function,
                                                      void *context, conv_middleware **middleware,
                                                      conv_error *error);

/* What else is to be redacted: a POSIX extended regular expression over bytes (C locale). */
typedef struct conv_redact_pattern {
    const char *name; /* a-z, 0-9, '-', '_'; at most 31; stands in the text for what it replaced */
    const char *pattern; /* must not match the empty text; see below for what it costs */
} conv_redact_pattern;

/* Settings of redact. Start from CONV_REDACT_PARAMS_INIT. Copied. */
typedef struct conv_redact_params {
    size_t size;
    bool keep_emails;   /* true: e-mail addresses stay */
    bool keep_cards;    /* true: payment card numbers (13 to 19 digits, Luhn's check) stay */
    bool keep_api_keys; /* true: keys (sk-…, ghp_…, AKIA…, JSON web tokens and others) stay */
    const conv_redact_pattern *patterns;
    size_t pattern_count; /* at most 64 */
} conv_redact_params;

#define CONV_REDACT_PARAMS_INIT                                                                    \
    {                                                                                              \
        sizeof(conv_redact_params), false, false, false, NULL, 0                                   \
    }

/* A step that puts "[redacted:NAME]" in the place of e-mail addresses ("email"), card numbers
 * ("card"), API keys ("key") and of whatever the application's own patterns match: in the turn's
 * messages, title, metadata and options, in the context that is sent along, in the reply and in
 * errors. Placed before `provider`, it works before the question is noted, sent or hashed, and on
 * the reply before that is saved: nothing behind it, the journal, the store and events included,
 * sees the text. What asks the client's provider outside of a turn is redacted likewise: summaries
 * (conv_summary_make), conv_health_check_provider, and what health remembers of a failure. Of an
 * address the domain may be an address of the network in brackets, and the sign may be escaped as
 * in JSON; one whose part before the sign is in quotation marks is not found, because in most texts
 * they belong to something else. A card
 * number is 13 to 19 digits that begin with 2 to 6, or 16 to 19 that begin with 8 or 9, and pass
 * Luhn's check, no part of a word, whole or in groups with one space, hyphen or dot between. A dot
 * counts behind four digits or more, and not as the only one, so that dates, versions and decimals
 * are left alone; any other run of digits that happens to pass is taken for a card. Ids (also
 * those of tool calls), names of models and user_email stay: they are names, not text. A repeat of
 * a turn gets the saved reply as it is. One line is looked at by itself: nothing is found across a
 * line break. A text that is a JSON object or array, as arguments of tool calls are, is redacted
 * inside its strings and numbers, keys included, and stays JSON. Deltas of a reply come a whole
 * line at a time, of a reply that begins as JSON all at the end. What is built in reads a text
 * once, however it is made; an own pattern takes what regexec does with it, and the turn's deadline
 * does not stop it: with a repetition without end, as in [0-9]+x, ten times the line may take a
 * hundred times as long, while [0-9]{1,20}x keeps in step with it. `params` settings, NULL for all
 * defaults; `middleware` receives it, to be freed with conv_middleware_free, NULL after a failure;
 * `error` may be NULL. CONV_INVALID_ARGUMENT: a name or a pattern is wrong (named by its number).
 * CONV_NO_MEMORY. Thread: any. Round trips: none; handling a turn reads the context earlier, not
 * more often. */
CONV_WARN_UNUSED conv_status conv_middleware_redact(const conv_redact_params *params,
                                                    conv_middleware **middleware,
                                                    conv_error *error);

/* Settings of the rate limit. Start from CONV_RATE_LIMIT_PARAMS_INIT. */
typedef struct conv_rate_limit_params {
    size_t size;
    int64_t turns;     /* of one user in `period_ms`; 1 to 1000000; 60 */
    int64_t period_ms; /* 1 to 86400000; 60000 */
    size_t users;      /* remembered at once, 44 bytes each; 1 to 1000000; 65536 */
} conv_rate_limit_params;

#define CONV_RATE_LIMIT_PARAMS_INIT                                                                \
    {                                                                                              \
        sizeof(conv_rate_limit_params), 0, 0, 0                                                    \
    }

/* A step that refuses a user's turn with CONV_LIMIT (recovery BACKOFF; the message says when to try
 * again) when that user has had `turns` of them. They may come all at once; then each becomes free
 * again after period_ms / turns. Each call counts, a repeat too. Turns without user share one
 * limit. The same user in another spelling of the UUID is the same. Counts live in this object, in
 * memory: clients that share it share them. When more users come than are remembered, those who
 * asked longest ago are forgotten, which only ever allows more. `params` NULL for the defaults;
 * `middleware` receives it, to be freed with conv_middleware_free, NULL after a failure; `error`
 * may be NULL. CONV_INVALID_ARGUMENT: a setting is out of range. CONV_NO_MEMORY. Thread: any. Round
 * trips: none. */
CONV_WARN_UNUSED conv_status conv_middleware_rate_limit(const conv_rate_limit_params *params,
                                                        conv_middleware **middleware,
                                                        conv_error *error);

/* A step that gives what stands behind it up to `provider` at most `timeout_ms` (1 to 86400000), if
 * the turn does not end before anyway. A step behind it that blocks longer is named by CONV_TIMEOUT
 * when it calls on, and the provider is not asked; no function can be stopped from outside. A reply
 * that came is kept and saved, however late.
 * `middleware` receives it, to be freed with conv_middleware_free, NULL after a failure; `error`
 * may be NULL. CONV_INVALID_ARGUMENT: out of range. CONV_NO_MEMORY. Thread: any. Round trips: none.
 */
CONV_WARN_UNUSED conv_status conv_middleware_time_limit(int64_t timeout_ms,
                                                        conv_middleware **middleware,
                                                        conv_error *error);

/* The steps of a client, in order. Thread: any. Round trips: none. */
size_t conv_client_step_count(const conv_client *client);

/* Name of step `index` (from 0), or NULL past the end; belongs to the client. Thread: any. */
const char *conv_client_step_name(const conv_client *client, size_t index);

/* The turn as it stands: as it was given, with what steps have changed since. Its messages are all
 * in `messages`, with ids; `message` is absent. What it points to lives as long as the call, or
 * until it is changed. Thread: owner. Round trips: none. */
const conv_turn *conv_call_turn(const conv_call *call);

/* The UUIDs that session and turn are saved under, 36 characters; "" before they are made: by
 * validate_ids, or by an earlier step that reads the context (conv_call_context), as redact does.
 * Thread: owner. */
const char *conv_call_session_id(const conv_call *call);
const char *conv_call_turn_id(const conv_call *call);

/* Milliseconds until the turn's deadline; 0 when it has passed. Thread: owner. */
int64_t conv_call_time_left_ms(const conv_call *call);

/* Gives the turn at most `timeout_ms` more (at least 0); never gives it more than it has.
 * Thread: owner. */
void conv_call_limit_time(conv_call *call, int64_t timeout_ms);

/* A text of the turn, by which a step changes it. */
typedef enum conv_call_field {
    CONV_CALL_SESSION_ID, /* ids: before they are made, see conv_call_session_id */
    CONV_CALL_USER_ID,
    CONV_CALL_TURN_ID,
    CONV_CALL_TITLE, /* these two before the provider is asked */
    CONV_CALL_MODEL,
    CONV_CALL_OPTIONS, /* likewise; JSON object */
    CONV_CALL_SERVICE, /* the rest before the exchange is saved */
    CONV_CALL_OPERATION,
    CONV_CALL_USER_EMAIL,
    CONV_CALL_METADATA /* JSON object */
} conv_call_field;

/* Changes a text of the turn; `text` is copied, NULL means the default. `error` may be NULL.
 * CONV_STATE: it is too late for this field. CONV_INVALID_ARGUMENT: not a JSON object where one is
 * wanted, or no such field. CONV_NO_MEMORY. Thread: owner. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_call_set(conv_call *call, conv_call_field field, const char *text,
                                           conv_error *error);

/* Puts messages in the place of what the user's side says; copied. Whoever changes some copies the
 * others' structs, so that they keep their ids. `error` may be NULL. CONV_STATE: the provider was
 * asked already, or an answer given. CONV_INVALID_ARGUMENT: none, or one that can't be saved.
 * CONV_LIMIT, CONV_NO_MEMORY. Thread: owner. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_call_set_messages(conv_call *call, const conv_message *messages,
                                                    size_t count, conv_error *error);

/* Puts a function between the provider's deltas and the caller, whose own is in conv_call_turn
 * before; NULL: nobody listens. `error` may be NULL. CONV_STATE: the provider was asked already.
 * Thread: owner. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_call_set_delta(conv_call *call, conv_delta_function on_delta,
                                                 void *context, conv_error *error);

/* The history that is sent along before the turn's messages; read from the store when it is first
 * asked for. `messages` and `count` receive it; valid until it is changed or saving begins. `error`
 * may be NULL. Statuses as those of the store in conv_process_message. Thread: owner.
 * Round trips: 1 the first time, which the provider's step then saves; 0 without history. */
CONV_WARN_UNUSED conv_status conv_call_context(conv_call *call, const conv_message **messages,
                                               size_t *count, conv_error *error);

/* Sends other messages along instead (a summary, found passages); copied, and saved nowhere.
 * `error` may be NULL. CONV_STATE: the provider was asked already. CONV_INVALID_ARGUMENT,
 * CONV_LIMIT, CONV_NO_MEMORY. Thread: owner. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_call_set_context(conv_call *call, const conv_message *messages,
                                                   size_t count, conv_error *error);

/* Answers instead of the provider, or, behind a failure of it, in its place: the reply's messages,
 * at least one; and what it used, or NULL if nothing is known. Copied. The usage record's provider
 * is the step's name unless `usage` has one. With a turn id that was saved before, the saved reply
 * stays. `error` may be NULL. CONV_STATE: the exchange is saved already. CONV_INVALID_ARGUMENT: no
 * message, or one that can't be saved. CONV_LIMIT, CONV_NO_MEMORY. Thread: owner.
 * Round trips: none. */
CONV_WARN_UNUSED conv_status conv_call_answer(conv_call *call, const conv_message *messages,
                                              size_t count, const conv_usage *usage,
                                              conv_error *error);

/* The reply as far as it came: its messages, NULL and 0 without any. Valid until it is changed.
 * Thread: owner. Round trips: none. */
const conv_message *conv_call_reply(const conv_call *call, size_t *count);

/* Puts other messages in the place of the reply, complete or not; copied. Of a repeat the saved
 * reply stays, and this does nothing. `error` may be NULL. CONV_STATE: there is no reply yet, or it
 * is saved already. Else as conv_call_answer. Thread: owner. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_call_set_reply(conv_call *call, const conv_message *messages,
                                                 size_t count, conv_error *error);

/* Whether the reply was saved before this call, so that nobody was asked. Thread: owner. */
bool conv_call_is_repeat(const conv_call *call);

/* Where the exchange is; CONV_SAVED_NOT before save_to_database has saved it. Thread: owner. */
conv_saved conv_call_saved(const conv_call *call);

/* The usage record as it would be saved now: what the provider counted, until a step or track_usage
 * has made one. Valid until the next call of this or of conv_call_set_usage. Thread: owner. */
const conv_usage *conv_call_usage(conv_call *call);

/* Sets the usage record of the exchange: counts, cost, `priced` and texts; ids, user, session,
 * times, status and error are the library's. Copied. track_usage leaves a record that is set alone.
 * `error` may be NULL. CONV_STATE: the exchange is saved already. CONV_INVALID_ARGUMENT: a count
 * below CONV_UNKNOWN or beyond its bound (usage.h), a negative cost, a JSON field that is not JSON
 * of its kind. CONV_NO_MEMORY. Thread: owner. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_call_set_usage(conv_call *call, const conv_usage *usage,
                                                 conv_error *error);

#ifdef __cplusplus
}
#endif
#endif
