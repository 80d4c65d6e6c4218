/* A scripted HTTP server on 127.0.0.1: says what it is told, in any bytes, at any pace, and ends as
 * it is told. Makes no assertions; ends the program if it can't do its part. */
#ifndef TESTS_SUPPORT_HTTP_SERVER_H
#define TESTS_SUPPORT_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

typedef enum http_end {
    HTTP_KEEP,  /* wait for the next request on this connection */
    HTTP_CLOSE, /* FIN */
    HTTP_RESET, /* RST */
    HTTP_HANG   /* say nothing more until the other side closes */
} http_end;

/* What is answered to one request. Borrowed until the server is stopped. */
typedef struct http_reply {
    const char *bytes; /* head and body as they go over the wire; NULL: nothing */
    size_t size;       /* 0: up to the NUL */
    size_t slice;      /* bytes sent at once; 0: all */
    int pause_ms;      /* before each slice */
    size_t repeat;     /* so many blocks of 64 KiB of 'x' after the bytes */
    http_end end;
    bool deaf; /* answers as soon as somebody connects, without reading the request */
} http_reply;

typedef struct http_server http_server;

/* Request n gets reply n, counted over all connections; further ones get the last. */
http_server *http_server_start(const http_reply *replies, size_t count);

/* "http://127.0.0.1:PORT/v1"; belongs to the server. */
const char *http_server_url(const http_server *server);

size_t http_server_requests(http_server *server);
size_t http_server_connections(http_server *server);

/* Head and body of request `index`, "" if it was not made, of the first 64; belongs to the server.
 */
const char *http_server_request(http_server *server, size_t index);

/* Ends all connections; NULL is allowed. */
void http_server_stop(http_server *server);

#endif
