#include "support/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 1024, MAX_KEPT = 64, BLOCK = 65536 };

typedef struct http_connection {
    http_server *server;
    int socket;
    pthread_t thread;
} http_connection;

struct http_server {
    const http_reply *replies;
    size_t reply_count;
    char url[64];
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; /* for all below */
    bool stopped;
    size_t requests;
    char *kept[MAX_KEPT];
    size_t connections;
    http_connection connection[MAX_CONNECTIONS];
};

/* A request as it comes in. */
typedef struct http_message {
    char *data;
    size_t size;
} http_message;

static void die(const char *what)
{
    perror(what);
    abort();
}

static void pause_for(int milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

/* Bytes that head and body have together, 0 while the head is not complete. */
static size_t wanted_size(const http_message *message)
{
    const char *end = strstr(message->data, "\r\n\r\n");
    if (end == NULL) return 0;
    const char *length = strcasestr(message->data, "\r\ncontent-length:");
    size_t body = length == NULL || length > end ? 0 : (size_t)strtoull(length + 17, NULL, 10);
    return (size_t)(end - message->data) + 4 + body;
}

/* False when the other side closed before a whole request had come. */
static bool read_request(int socket, http_message *message)
{
    size_t capacity = BLOCK;
    size_t wanted = 0;
    message->size = 0;
    message->data = malloc(capacity + 1);
    if (message->data == NULL) die("malloc");
    while (wanted == 0 || message->size < wanted) {
        if (capacity - message->size < BLOCK) {
            capacity *= 2;
            message->data = realloc(message->data, capacity + 1);
            if (message->data == NULL) die("realloc");
        }
        ssize_t got = recv(socket, message->data + message->size, BLOCK, 0);
        if (got <= 0) return false;
        message->size += (size_t)got;
        message->data[message->size] = '\0';
        if (wanted == 0) wanted = wanted_size(message);
    }
    return true;
}

static const http_reply *take_turn(http_server *server, char *request)
{
    pthread_mutex_lock(&server->lock);
    size_t turn = server->requests++;
    if (turn < MAX_KEPT) server->kept[turn] = request;
    pthread_mutex_unlock(&server->lock);
    if (turn >= MAX_KEPT) free(request);
    return &server->replies[turn < server->reply_count ? turn : server->reply_count - 1];
}

static bool send_all(int socket, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(socket, data, size, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

static void say(int socket, const http_reply *reply)
{
    size_t size = reply->bytes == NULL ? 0 : reply->size;
    if (reply->bytes != NULL && size == 0) size = strlen(reply->bytes);
    for (size_t at = 0; at < size;) {
        size_t slice = reply->slice == 0 || reply->slice > size - at ? size - at : reply->slice;
        if (reply->pause_ms > 0) pause_for(reply->pause_ms);
        if (!send_all(socket, reply->bytes + at, slice)) return;
        at += slice;
    }
    if (reply->repeat == 0) return;
    char *filled = malloc(BLOCK);
    if (filled == NULL) die("malloc");
    memset(filled, 'x', BLOCK);
    for (size_t i = 0; i < reply->repeat && send_all(socket, filled, BLOCK); i++) {
    }
    free(filled);
}

static void reset(int socket)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void wait_for_end(int socket)
{
    char rest[256];
    while (recv(socket, rest, sizeof rest, 0) > 0) {
    }
}

static bool serve_request(http_connection *connection)
{
    http_server *server = connection->server;
    http_message message = {0};
    pthread_mutex_lock(&server->lock);
    size_t turn = server->requests;
    pthread_mutex_unlock(&server->lock);
    bool deaf = server->replies[turn < server->reply_count ? turn : server->reply_count - 1].deaf;
    if (!deaf && !read_request(connection->socket, &message)) {
        free(message.data);
        return false;
    }
    const http_reply *reply = take_turn(server, message.data);
    say(connection->socket, reply);
    if (reply->end == HTTP_RESET) reset(connection->socket);
    if (reply->end == HTTP_HANG) wait_for_end(connection->socket);
    return reply->end == HTTP_KEEP;
}

static void *serve(void *context)
{
    http_connection *connection = context;
    while (serve_request(connection)) {
    }
    pthread_mutex_lock(&connection->server->lock);
    close(connection->socket);
    connection->socket = -1;
    pthread_mutex_unlock(&connection->server->lock);
    return NULL;
}

static void *listen_on(void *context)
{
    http_server *server = context;
    for (;;) {
        int socket = accept(server->listener, NULL, NULL);
        pthread_mutex_lock(&server->lock);
        if (socket < 0 || server->stopped) {
            if (socket >= 0) close(socket);
            pthread_mutex_unlock(&server->lock);
            return NULL;
        }
        if (server->connections == MAX_CONNECTIONS) die("too many connections");
        http_connection *connection = &server->connection[server->connections++];
        connection->server = server;
        connection->socket = socket;
        if (pthread_create(&connection->thread, NULL, serve, connection) != 0) die("thread");
        pthread_mutex_unlock(&server->lock);
    }
}

http_server *http_server_start(const http_reply *replies, size_t count)
{
    http_server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    if (server == NULL) die("calloc");
    server->replies = replies;
    server->reply_count = count;
    pthread_mutex_init(&server->lock, NULL);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (server->listener < 0 ||
        bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listener, 128) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) != 0)
        die("listen");
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d/v1", ntohs(address.sin_port));
    if (pthread_create(&server->thread, NULL, listen_on, server) != 0) die("thread");
    return server;
}

const char *http_server_url(const http_server *server)
{
    return server->url;
}

size_t http_server_requests(http_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t requests = server->requests;
    pthread_mutex_unlock(&server->lock);
    return requests;
}

size_t http_server_connections(http_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t connections = server->connections;
    pthread_mutex_unlock(&server->lock);
    return connections;
}

const char *http_server_request(http_server *server, size_t index)
{
    pthread_mutex_lock(&server->lock);
    const char *request = index < MAX_KEPT ? server->kept[index] : NULL;
    pthread_mutex_unlock(&server->lock);
    return request == NULL ? "" : request;
}

void http_server_stop(http_server *server)
{
    if (server == NULL) return;
    pthread_mutex_lock(&server->lock);
    server->stopped = true;
    shutdown(server->listener, SHUT_RDWR);
    for (size_t i = 0; i < server->connections; i++) {
        if (server->connection[i].socket >= 0) shutdown(server->connection[i].socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->thread, NULL);
    close(server->listener);
    for (size_t i = 0; i < server->connections; i++)
        pthread_join(server->connection[i].thread, NULL);
    for (size_t i = 0; i < MAX_KEPT; i++)
        free(server->kept[i]);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
