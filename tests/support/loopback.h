/* A socket at a free port of the loopback: who connects there gets no answer unless the test gives
 * one. */
#ifndef TESTS_SUPPORT_LOOPBACK_H
#define TESTS_SUPPORT_LOOPBACK_H

enum { LOOPBACK_PORT_SIZE = 8 };

/* Takes the port and refuses connections until listen(2); `port` is its text. */
int loopback_bind(char port[LOOPBACK_PORT_SIZE]);

/* The same, and listens. */
int loopback_listen(char port[LOOPBACK_PORT_SIZE]);

#endif
