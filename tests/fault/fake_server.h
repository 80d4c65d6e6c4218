/* A scripted PostgreSQL server: it speaks as much of the protocol as saving, looking up and
 * tracking need, keeps what was committed, and answers with any SQLSTATE at any step. */
#ifndef TESTS_FAULT_FAKE_SERVER_H
#define TESTS_FAULT_FAKE_SERVER_H

#include <stdbool.h>

#include "conversation/uuid.h"

typedef enum fake_step {
    FAKE_NEVER,
    FAKE_CONNECT,
    FAKE_BEGIN,
    FAKE_SAVE,    /* the statement that saves exchanges */
    FAKE_COMMIT,  /* of one that writes; it commits nothing then, unless the plan says so */
    FAKE_SYNC,    /* after such a COMMIT has been answered */
    FAKE_LOOKUP,  /* the question what is stored under an id */
    FAKE_REMOVE,  /* the statement that removes a failed attempt */
    FAKE_TRACK,   /* the statements that save usage records */
    FAKE_DELETED, /* the question what was deleted */
    FAKE_STEPS
} fake_step;

typedef struct fake_plan {
    fake_step step;
    int times;              /* that the step fails */
    const char *sqlstate;   /* NULL: the connection ends without a word */
    const char *severity;   /* ERROR; else the connection ends */
    const char *constraint; /* NULL: none is named */
    const char *message;
    bool commits; /* FAKE_COMMIT: it commits nevertheless */
} fake_plan;

typedef struct fake_server fake_server;

/* Ends the program on a failure. */
fake_server *fake_start(void);
const char *fake_url(const fake_server *self);
void fake_stop(fake_server *self);

/* Begins to count hits anew. */
void fake_set(fake_server *self, const fake_plan *plan);

/* How often the plan's step came and was made to fail. */
int fake_hits(fake_server *self);

/* Ends all connections. */
void fake_drop(fake_server *self);

/* What is committed in all. */
typedef struct fake_content {
    long exchanges; /* but for failed attempts */
    long failed;    /* attempts */
    long half;      /* exchanges without their messages or their usage record */
    long records;   /* tracked */
} fake_content;

fake_content fake_look(fake_server *self);

/* Whether an exchange that is no failed attempt is committed under these ids. */
bool fake_has(fake_server *self, conv_uuid session_id, conv_uuid exchange_id);

/* Forgets what is committed. */
void fake_empty(fake_server *self);

#endif
