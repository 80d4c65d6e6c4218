/* A turn: what the user says, the provider's reply, and the exchange saved from them. */
#ifndef CONVERSATION_TURN_H
#define CONVERSATION_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "client.h"
#include "message.h"
#include "provider.h"
#include "status.h"
#include "usage.h"
#include "uuid.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Gets each piece of a reply's text while it comes, on the thread that called
 * conv_process_message. Return 0 to go on, anything else to stop: what came is then saved with
 * status interrupted. `delta` is borrowed for the call. It is empty where nothing came and the
 * provider, while it waits, only asks whether to go on: several times a second with the ready-made
 * OpenAI provider, so that a wait can be ended too. It must not call the client. */
typedef int (*conv_delta_function)(void *context, conv_bytes delta);

/* What the user says. Start from CONV_TURN_INIT; NULL, absent or 0 means the default. Everything is
 * borrowed for the call. */
typedef struct conv_turn {
    size_t size;
    const char *session_id; /* any string (see conv_uuid_ensure); NULL: a new session */
    const char *user_id;    /* any string; NULL: nobody */
    const char *turn_id;    /* any string, unique in its session; a repeated call with the same one
                               gets the saved reply. NULL: new, so a repeat is another turn */
    const char *user_email;
    conv_bytes message;           /* the user's text; saved after `messages` */
    const conv_message *messages; /* or whole messages: system, user with parts, tool results */
    size_t message_count;
    const char *model;       /* NULL: the client's */
    const char *service;     /* of the usage record; "chat" */
    const char *operation;   /* of the usage record; "chat" */
    const char *title;       /* of a session that is made by this turn */
    const char *metadata;    /* JSON object, kept with the usage record */
    const char *options;     /* JSON object of further request fields for the provider */
    conv_provider *provider; /* NULL: the client's; borrowed for the call */
    int context_messages;    /* history sent along: -1 none; 1 to 10000; 0: the client's */
    int64_t timeout_ms;      /* see turn_timeout_ms of the client, which 0 means */
    conv_delta_function on_delta;
    void *delta_context;
    /* Branches. A turn goes on after the session's last message, whatever its branch; or after the
     * message `after`; or it takes the place of `instead_of`: an edited question that of a
     * question, or, without a message of its own, another answer to the same question that of an
     * answer. Its context is its branch. Nothing that is stored changes; history.h reads one
     * branch. */
    conv_uuid after;      /* nil: the last one */
    conv_uuid instead_of; /* nil: none; not together with `after` */
} conv_turn;

#define CONV_TURN_INIT                                                                             \
    {                                                                                              \
        sizeof(conv_turn), NULL, NULL, NULL, NULL, {NULL, 0}, NULL, 0, NULL, NULL, NULL, NULL,     \
            NULL, NULL, NULL, 0, 0, NULL, NULL, {{0}},                                             \
        {                                                                                          \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

/* Where an exchange is when a call answers. */
typedef enum conv_saved {
    CONV_SAVED_NOT = 0,   /* only with a failure, or where the chain has no save_to_database */
    CONV_SAVED_COMMITTED, /* committed in the store */
    CONV_SAVED_JOURNALED  /* on the local disk; it will be committed without the caller */
} conv_saved;

/* What a turn left. One block with one free. */
typedef struct conv_reply conv_reply;

/* Validates the ids, reads the context, asks the provider (no connection is held meanwhile) and
 * saves the session, all messages and the usage record in one transaction: the default chain of
 * middleware.h, which says what other steps may change about it.
 * A turn id that was completed or interrupted before gives the saved reply and asks nobody; one
 * that failed before is asked again and its exchange replaced. When the provider fails, what the
 * user said is saved with status failed (or, if a part of the reply came, all of it with status
 * interrupted), and the failure is returned.
 * `turn` see conv_turn; `reply` receives what was saved, to be freed with conv_reply_free: set with
 * CONV_OK and with every failure of the provider or of a step that was saved, else NULL; `error`
 * may be NULL. Any status may also be that of a step that refused; CONV_STATE also names one that
 * broke the rules of the chain.
 * CONV_INVALID_ARGUMENT: no message, an empty one, no role, a created_us that is no time, a JSON
 * field that is not JSON of the right kind, no provider, a setting out of range, a question
 * `instead_of` an answer, or nothing `instead_of` a question. CONV_NOT_FOUND: the session has no
 * message with the id of `after` or `instead_of`. CONV_CONFLICT: the turn id was used in this
 * session for other messages, also if these are a turn of the journal that is under way or was
 * interrupted, or a dead letter. CONV_PROVIDER, CONV_CANCELLED: see conv_provider_functions; reply
 * set.
 * CONV_UNAVAILABLE, CONV_TIMEOUT: provider (reply set) or store (reply NULL, nothing saved unless
 * error->outcome_unknown; repeat with the same turn id). With a journal a store that is away is no
 * failure of saving: the reply then says CONV_SAVED_JOURNALED; only a turn that sends context along
 * needs the store before, and fails without it, and so does one whose id is a dead letter of the
 * journal. CONV_UNAVAILABLE, CONV_PERMISSION also: the journal can't note the turn before the
 * provider is asked, for one because its disk is full, however well the store is; reply NULL,
 * nobody was asked and nothing is saved. CONV_LIMIT: no connection became free, the journal is
 * full, or the message is over the store's bound. CONV_PERMISSION, CONV_STATE, CONV_BAD_DATA: the
 * store refuses. CONV_NO_MEMORY. Thread: any. Round trips to the store: 1 for
 * context and turn id (0 without either), 1 to save. */
CONV_WARN_UNUSED conv_status conv_process_message(conv_client *client, const conv_turn *turn,
                                                  conv_reply **reply, conv_error *error);

/* An exchange whose reply the application already has. */
typedef struct conv_exchange {
    size_t size;
    const char *session_id; /* as in conv_turn */
    const char *user_id;
    const char *turn_id;
    const conv_message *messages; /* all of them, in order; at least one */
    size_t message_count;
    size_t request_count; /* how many, from the front, are what the user's side said; 0: all before
                             the first assistant message */
    conv_usage usage;     /* its record; session_id and user_id are taken from above */
    conv_outcome status;
    const char *title;  /* of a session that is made by this exchange */
    int64_t created_us; /* microseconds since 1970-01-01 UTC, years 1 to 9999; 0: now */
    conv_uuid after; /* a message of the session that it goes on after, saved before; nil: the last
                        one. See conv_turn */
} conv_exchange;

#define CONV_EXCHANGE_INIT                                                                         \
    {                                                                                              \
        sizeof(conv_exchange), NULL, NULL, NULL, NULL, 0, 0, CONV_USAGE_INIT,                      \
            CONV_OUTCOME_COMPLETE, NULL, 0,                                                        \
        {                                                                                          \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

/* Saves an exchange in one transaction, once for each turn id: a repeat with the same content
 * answers CONV_OK and adds nothing. The content is what was said: roles, texts, parts, tool calls
 * and names of the messages; status, usage record, user and metadata stay as they came first, so
 * one that was saved as interrupted is not completed by a repeat.
 * A usage record that was tracked before under its log_id and session stays, too, is this
 * exchange's and gets its user; if it named another one, that one's e-mail address and the original
 * bytes of fields go from it. One that another exchange of the session has is CONV_BAD_DATA, and
 * nothing is saved.
 * Parameters, ownership and statuses as conv_process_message without those of the provider; `reply`
 * may be NULL if not wanted. Thread: any. Round trips: 1; 2 when the turn id exists already. */
CONV_WARN_UNUSED conv_status conv_save_exchange(conv_client *client, const conv_exchange *exchange,
                                                conv_reply **reply, conv_error *error);

#define CONV_EXCHANGES_MOST 256

/* How one of several exchanges ended. */
typedef struct conv_exchange_result {
    conv_status status; /* as conv_save_exchange would have answered */
    conv_error error;
    conv_saved saved; /* CONV_SAVED_NOT with a failure */
    bool repeat;      /* saved before, with the same content */
} conv_exchange_result;

/* Saves exchanges as conv_save_exchange does each, but together: in one transaction, unless they
 * are more than 8 MiB, or the store refuses one of them; the others are then saved without it.
 * Those of a session are saved in the order given, and those behind one that is invalid or refused
 * fail with its status and are not tried, so that no session skips a turn: give them again once
 * that one is settled. None of them becomes a dead letter. A conflict alone keeps none back. For
 * what comes in numbers, such as an import. `exchanges` borrowed for the call; `count` 1 to
 * CONV_EXCHANGES_MOST; `results` receives `count` results, unless the call itself is refused:
 * `count` is out of range or an array is NULL (CONV_INVALID_ARGUMENT), CONV_STATE, CONV_NO_MEMORY.
 * An exchange that has session and turn id of another one of the call is CONV_INVALID_ARGUMENT.
 * Gives CONV_OK when all were saved, else the status and error of the first that was not. `error`
 * may be NULL. Thread: any. Round trips: 1; 2 when a turn id exists already; more for what the
 * store refuses. */
CONV_WARN_UNUSED conv_status conv_save_exchanges(conv_client *client,
                                                 const conv_exchange *exchanges, size_t count,
                                                 conv_exchange_result *results, conv_error *error);

/* The session's UUID, 36 characters; belongs to the reply. Thread: any. */
const char *conv_reply_session_id(const conv_reply *reply);

/* The turn's UUID, 36 characters; belongs to the reply. Thread: any. */
const char *conv_reply_turn_id(const conv_reply *reply);

/* The text of the last assistant message, "" if it has none; belongs to the reply; followed by a
 * NUL. A text may contain NULs: conv_reply_message gives its size. Thread: any. */
const char *conv_reply_text(const conv_reply *reply);

/* Messages of the reply, without those of the turn itself. Thread: any. */
size_t conv_reply_message_count(const conv_reply *reply);

/* Message `index` (from 0) of the reply, or NULL past the end; belongs to it. Thread: any. */
const conv_message *conv_reply_message(const conv_reply *reply, size_t index);

/* The usage record as saved: tokens, cost, latency; belongs to the reply. Thread: any. */
const conv_usage *conv_reply_usage(const conv_reply *reply);

/* Why the provider stopped ("stop", "length", "tool_calls", "content_filter"), or NULL if it did
 * not say or the reply was read from the store; belongs to the reply. Thread: any. */
const char *conv_reply_finish_reason(const conv_reply *reply);

/* How the turn ended. Thread: any. */
conv_outcome conv_reply_status(const conv_reply *reply);

/* Where the exchange is. Thread: any. */
conv_saved conv_reply_saved(const conv_reply *reply);

/* Whether the turn had been saved before this call, so that nobody was asked. Thread: any. */
bool conv_reply_is_repeat(const conv_reply *reply);

/* Time spent waiting for the provider and for the store, in microseconds. Thread: any. */
int64_t conv_reply_provider_us(const conv_reply *reply);
int64_t conv_reply_store_us(const conv_reply *reply);

/* Frees the reply and all it gave out; NULL is allowed. Thread: owner. */
void conv_reply_free(conv_reply *reply);

#ifdef __cplusplus
}
#endif
#endif
