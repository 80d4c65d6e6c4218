/* A connection string's list of hosts. Pure: knows no connection. */
#ifndef CONV__DB_POSTGRES_HOSTS_H
#define CONV__DB_POSTGRES_HOSTS_H

#include <stdbool.h>

/* As libpq writes them: "a,b,c"; a single port serves all. NULL is absent. Owned. */
typedef struct conv__hosts {
    char *host;
    char *hostaddr;
    char *port;
} conv__hosts;

/* Cuts off all up to the one that is called `host` (or, without a name, has this address) and has
 * this port. False if none is left, or there is no such host; then nothing is cut. */
bool conv__hosts_after(conv__hosts *hosts, const char *host, const char *port);

void conv__hosts_free(conv__hosts *hosts);

#endif
