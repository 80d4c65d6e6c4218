/* A client that saves on many threads while its store is broken and repaired, and what its health
 * says. On the main thread only. */
#ifndef TESTS_SUPPORT_HEALTH_WATCH_H
#define TESTS_SUPPORT_HEALTH_WATCH_H

#include "conversation/conversation.h"

/* Opens a client on the store, with a journal in the present folder or without, and lets threads
 * save from now on; the first reading must be ok. */
void health_watch_start(const char *url, const char *journal);

/* The one reading after the store was broken: not ready, still live, within ten seconds more than
 * its own limit; told as one event for database_saves and one for the whole. */
void health_watch_broken(void);

/* The one reading after the repair: ready, and told back. */
void health_watch_repaired(void);

/* Ends the threads and closes the client. With a journal each turn must have been accepted; gives
 * how many were. */
long health_watch_stop(void);

#endif
