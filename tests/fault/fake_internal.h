/* What the parts of the scripted server share: fake_server.c (who connects, and the plan),
 * fake_session.c (the protocol) and fake_statement.c (what each statement does). */
#ifndef TESTS_FAULT_FAKE_INTERNAL_H
#define TESTS_FAULT_FAKE_INTERNAL_H

#include <pthread.h>
#include <stdint.h>

#include "fault/fake_server.h"
#include "fault/fake_store.h"

enum { FAKE_SESSIONS = 64, FAKE_STATEMENTS = 24, FAKE_MESSAGE = 1 << 16 };

typedef enum fake_kind {
    FAKE_OTHER,
    FAKE_KIND_BEGIN,
    FAKE_KIND_SAVE,
    FAKE_KIND_COMMIT,
    FAKE_KIND_ROLLBACK,
    FAKE_KIND_LOOKUP,
    FAKE_KIND_REMOVE,
    FAKE_KIND_TRACK,     /* which skips what is there */
    FAKE_KIND_TRACK_NEW, /* which fails on it */
    FAKE_KIND_DELETED
} fake_kind;

/* One connection. */
typedef struct fake_session {
    fake_server *owner;
    pthread_t thread;
    int descriptor;
    bool ended;
    struct {
        char name[64];
        fake_kind what;
    } statements[FAKE_STATEMENTS];
    size_t statement_count;
    fake_kind bound;
    char parameters[FAKE_MESSAGE]; /* of the bound statement, from its first length */
    bool writes;                   /* the transaction has saved, removed or tracked */
    fake_changes changes;          /* not committed */
    bool failed;                   /* skipping up to Sync */
    bool committed;
    char status; /* for ReadyForQuery */
    char out[FAKE_MESSAGE];
    size_t out_size;
} fake_session;

struct fake_server {
    char folder[64];
    char url[128];
    int listener;
    pthread_t thread;
    fake_store store;
    pthread_mutex_t lock; /* of what follows */
    bool stopping;
    fake_session *sessions[FAKE_SESSIONS];
    size_t session_count;
    fake_plan plan;
    int hits;
};

/* Ends the program. */
_Noreturn void fake_die(const char *what);

uint32_t fake_read_int4(const char *data);

/* What is sent with the next flush. A message is begun, filled and ended. */
size_t fake_begin(fake_session *self, char type);
void fake_end(fake_session *self, size_t start);
void fake_put(fake_session *self, const void *data, size_t size);
void fake_put_int4(fake_session *self, uint32_t value);
void fake_put_int2(fake_session *self, uint16_t value);
void fake_put_tag(fake_session *self, const char *tag);
void fake_put_error(fake_session *self, const fake_plan *what);

/* Whether the step fails now; then the error has been said. */
bool fake_fails(fake_session *self, fake_step step, fake_plan *plan);

fake_kind fake_kind_of(const char *sql);

/* How many columns it answers with; 0: no rows at all. */
int fake_columns(fake_kind what);

/* Does what the bound statement says, and answers. */
void fake_execute(fake_session *self);

/* A connection's thread; `context` is its session. */
void *fake_serve(void *context);

#endif
