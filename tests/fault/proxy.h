/* A proxy between a client and a PostgreSQL server that knows where messages begin and end, and
 * breaks what it is told to break. It reads nothing into them but their kind, and COMMIT's tag. */
#ifndef TESTS_FAULT_PROXY_H
#define TESTS_FAULT_PROXY_H

#include <stdbool.h>
#include <stdint.h>

typedef enum proxy_direction { PROXY_TO_SERVER, PROXY_TO_CLIENT } proxy_direction;

typedef enum proxy_action {
    PROXY_PASS,    /* break nothing */
    PROXY_FIN,     /* end both sides in an orderly way */
    PROXY_RST,     /* reset the client's side */
    PROXY_SILENCE, /* pass nothing on any more, and end nothing */
    PROXY_FORGE    /* an ErrorResponse in place of the message; only to the client */
} proxy_action;

/* What happens, once. Counting begins when the plan is set, over all connections. */
typedef struct proxy_plan {
    proxy_action action;
    proxy_direction direction;
    long message; /* the n-th message from now, from 1; 0: `byte` counts all bytes */
    long byte;    /* of these so many pass before the action; a startup message counts as one */
    bool at_commit_reply; /* instead: at CommandComplete of COMMIT, which then does not pass */
    bool linger;          /* the server's side is not ended: it goes on with what it has got */
    const char *sqlstate; /* to forge; after FATAL the connection ends */
    const char *severity;
} proxy_plan;

typedef struct proxy proxy;

/* Listens on 127.0.0.1 before a server with its socket in this folder. Ends the program on a
 * failure. */
proxy *proxy_start(const char *server_folder);
const char *proxy_url(const proxy *self);
void proxy_stop(proxy *self);

/* Sets what is to be done. Zeroed: nothing. */
void proxy_set(proxy *self, const proxy_plan *plan);

/* Whether the plan's moment came. */
bool proxy_has_acted(proxy *self);

/* Bytes and messages that passed since the plan was set. */
long proxy_bytes(proxy *self, proxy_direction direction);
long proxy_messages(proxy *self, proxy_direction direction);

/* Whole messages of one type that passed since the start: 'E' to the server is a statement that is
 * executed, 'P' one that is prepared, 'S' the end of what one round trip asks. */
long proxy_messages_of(proxy *self, proxy_direction direction, char type);

/* Ends every connection now. */
void proxy_cut_all(proxy *self);

/* Takes connections and ends them at once, from now on or no more. */
void proxy_refuse(proxy *self, bool refuse);

/* Passes on one byte at a time and pauses so long before each piece. */
void proxy_slow(proxy *self, bool slices, int pause_us);

#endif
