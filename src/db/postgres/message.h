/* libpq's and the server's words as one line without secrets. Pure. */
#ifndef CONV__DB_POSTGRES_MESSAGE_H
#define CONV__DB_POSTGRES_MESSAGE_H

#include <stddef.h>

/* White space of any kind becomes one blank. */
void conv__message_one_line(const char *message, char *line, size_t size);

/* The same, with "..." in place of what stands in double quotes: it may be part of a password. */
void conv__message_without_quotes(const char *message, char *line, size_t size);

/* Why connecting failed, from PQerrorMessage at PQERRORS_VERBOSE: takes out the SQLSTATE (empty if
 * there is none, the last one if there were several hosts), the places in the server's source and
 * libpq's advice. Between lines comes a semicolon. */
void conv__message_of_connecting(const char *message, char *line, size_t size, char sqlstate[6]);

#endif
