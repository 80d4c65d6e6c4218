/* See proxy.h. One thread takes connections, one serves each of them. */
#include "fault/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fault/framing.h"

enum { PIECE = 16384, LINKS = 256, POLL_MS = 20, ERROR_SIZE = 128 };

/* One connection. Index: proxy_direction, from that side. */
typedef struct proxy_link {
    proxy *owner;
    pthread_t thread;
    int client;
    int server;
    framing framings[2];
    char held[64]; /* a CommandComplete that is not whole yet */
    size_t held_size;
    bool skipping; /* what the server says, up to ReadyForQuery */
    bool silent;
    bool lingering; /* the server's side stays when the client's has ended */
    bool ended;
    long cuts; /* of the owner when this began */
} proxy_link;

struct proxy {
    char url[128];
    struct sockaddr_un server;
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    proxy_link *links[LINKS];
    size_t link_count;
    bool stopping;
    bool refusing;
    bool slices;
    int pause_us;
    long cuts; /* calls of proxy_cut_all */
    proxy_plan plan;
    bool armed;
    bool acted;
    long bytes[2];
    long messages[2];   /* begun */
    long types[2][128]; /* whole ones, by type, since the start */
};

static void die(const char *what)
{
    fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
    exit(99);
}

static void close_side(proxy *owner, int *descriptor, bool reset)
{
    if (*descriptor < 0) return;
    struct linger abort_it = {1, 0};
    if (reset) setsockopt(*descriptor, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
    pthread_mutex_lock(&owner->lock);
    close(*descriptor);
    *descriptor = -1;
    pthread_mutex_unlock(&owner->lock);
}

static void send_all(proxy_link *self, proxy_direction direction, const char *data, size_t size)
{
    int descriptor = direction == PROXY_TO_SERVER ? self->server : self->client;
    pthread_mutex_lock(&self->owner->lock);
    size_t piece = self->owner->slices ? 1 : size;
    int pause_us = self->owner->pause_us;
    pthread_mutex_unlock(&self->owner->lock);
    while (size > 0 && descriptor >= 0) {
        if (pause_us > 0) usleep((useconds_t)pause_us);
        ssize_t sent = send(descriptor, data, piece < size ? piece : size, MSG_NOSIGNAL);
        if (sent <= 0) {
            self->ended = true;
            return;
        }
        data += sent;
        size -= (size_t)sent;
    }
}

static size_t add_field(char *message, size_t at, char kind, const char *text)
{
    message[at++] = kind;
    size_t size = strlen(text) + 1;
    memcpy(message + at, text, size);
    return at + size;
}

static void forge(proxy_link *self, const proxy_plan *plan)
{
    char message[ERROR_SIZE] = {'E'};
    size_t size = 5;
    size = add_field(message, size, 'S', plan->severity);
    size = add_field(message, size, 'V', plan->severity);
    size = add_field(message, size, 'C', plan->sqlstate);
    size = add_field(message, size, 'M', "forged by the proxy");
    message[size++] = '\0';
    uint32_t length = htonl((uint32_t)size - 1);
    memcpy(message + 1, &length, sizeof length);
    send_all(self, PROXY_TO_CLIENT, message, size);
    self->skipping = true;
}

static void act(proxy_link *self, const proxy_plan *plan)
{
    self->lingering = plan->linger;
    bool fatal = plan->action == PROXY_FORGE && strcmp(plan->severity, "ERROR") != 0;
    if (plan->action == PROXY_FORGE) forge(self, plan);
    if (plan->action == PROXY_SILENCE) self->silent = true;
    if (plan->action == PROXY_FIN || plan->action == PROXY_RST || fatal) {
        close_side(self->owner, &self->client, plan->action == PROXY_RST);
        if (!plan->linger) self->ended = true;
        self->silent = true;
    }
}

/* Whether the plan's moment is here; takes the plan, since it happens once. */
static bool is_moment(proxy_link *self, proxy_direction direction, long in_message, bool is_commit,
                      proxy_plan *plan)
{
    proxy *owner = self->owner;
    const proxy_plan *wanted = &owner->plan;
    if (!owner->armed || wanted->action == PROXY_PASS || wanted->direction != direction)
        return false;
    bool now = wanted->at_commit_reply ? is_commit
               : wanted->message == 0  ? owner->bytes[direction] == wanted->byte && !is_commit
                                       : owner->messages[direction] == wanted->message &&
                                            in_message == wanted->byte && !is_commit;
    if (!now) return false;
    *plan = *wanted;
    owner->armed = false;
    owner->acted = true;
    return true;
}

typedef struct piece {
    char data[PIECE + 64];
    size_t size;
    size_t message_start; /* of the message that is not whole yet */
} piece;

/* Passes one byte; true when something was done that ends the piece. */
static bool pass_byte(proxy_link *self, proxy_direction direction, piece *out, char byte)
{
    proxy *owner = self->owner;
    framing *frame = &self->framings[direction];
    proxy_plan plan;
    bool begins = framing_is_at_start(frame);
    pthread_mutex_lock(&owner->lock);
    if (begins) {
        out->message_start = out->size;
        owner->messages[direction]++;
    }
    bool moment = begins && is_moment(self, direction, 0, false, &plan);
    if (!moment) {
        out->data[out->size++] = byte;
        owner->bytes[direction]++;
        long in_message = (long)frame->offset + 1;
        bool whole = framing_take(frame, byte);
        if (whole) owner->types[direction][frame->type & 127]++;
        bool is_commit = whole && direction == PROXY_TO_CLIENT && frame->type == 'C' &&
                         strcmp(frame->start, "COMMIT") == 0;
        moment = is_moment(self, direction, in_message, false, &plan);
        if (!moment && is_commit && is_moment(self, direction, 0, true, &plan)) {
            moment = true;
            out->size = out->message_start;
        }
    }
    pthread_mutex_unlock(&owner->lock);
    if (!moment) return false;
    send_all(self, direction, out->data, out->size);
    out->size = 0;
    act(self, &plan);
    return true;
}

/* After a forged error: nothing up to ReadyForQuery, of which all is passed. */
static void skip_byte(proxy_link *self, piece *out, char byte)
{
    framing *frame = &self->framings[PROXY_TO_CLIENT];
    if (framing_is_at_start(frame)) out->message_start = out->size;
    out->data[out->size++] = byte;
    bool whole = framing_take(frame, byte);
    if (frame->type != 'Z')
        out->size = out->message_start;
    else if (whole)
        self->skipping = false;
}

static void pass(proxy_link *self, proxy_direction direction, const char *data, size_t size)
{
    piece out = {.size = 0};
    if (direction == PROXY_TO_CLIENT) {
        memcpy(out.data, self->held, self->held_size);
        out.size = self->held_size;
        self->held_size = 0;
    }
    for (size_t i = 0; i < size && !self->silent; i++) {
        if (self->skipping && direction == PROXY_TO_CLIENT) {
            skip_byte(self, &out, data[i]);
        } else if (pass_byte(self, direction, &out, data[i])) {
            if (self->skipping) i--; /* the byte that begins the message which is forged */
        }
    }
    if (self->silent) return;
    framing *frame = &self->framings[direction];
    if (direction == PROXY_TO_CLIENT && !framing_is_at_start(frame) &&
        (self->skipping || frame->type == 'C') &&
        out.size - out.message_start <= sizeof self->held) {
        self->held_size = out.size - out.message_start;
        memcpy(self->held, out.data + out.message_start, self->held_size);
        out.size = out.message_start;
    }
    send_all(self, direction, out.data, out.size);
}

static void read_side(proxy_link *self, proxy_direction direction)
{
    char data[PIECE];
    int descriptor = direction == PROXY_TO_SERVER ? self->client : self->server;
    ssize_t size = recv(descriptor, data, sizeof data, 0);
    if (size <= 0)
        self->ended = true;
    else
        pass(self, direction, data, (size_t)size);
}

static bool is_over(proxy_link *self)
{
    pthread_mutex_lock(&self->owner->lock);
    bool over = self->ended || self->owner->stopping || self->cuts != self->owner->cuts;
    pthread_mutex_unlock(&self->owner->lock);
    return over;
}

/* While it is silent only the end of the client is of interest; a lingering server sees none. */
static void *serve(void *context)
{
    proxy_link *self = context;
    while (!is_over(self)) {
        struct pollfd sides[2] = {{self->client, self->silent ? POLLRDHUP : POLLIN, 0},
                                  {self->silent ? -1 : self->server, POLLIN, 0}};
        if (poll(sides, 2, POLL_MS) <= 0) continue;
        if (self->silent && (sides[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
            if (!self->lingering) break;
            close_side(self->owner, &self->client, false);
        }
        if (!self->silent && sides[0].revents != 0) read_side(self, PROXY_TO_SERVER);
        if (!self->silent && !self->ended && sides[1].revents != 0)
            read_side(self, PROXY_TO_CLIENT);
    }
    close_side(self->owner, &self->client, false);
    close_side(self->owner, &self->server, false);
    return NULL;
}

static void take_connection(proxy *self, int client)
{
    int one = 1;
    pthread_mutex_lock(&self->lock);
    bool refuse = self->refusing || self->stopping;
    long cuts = self->cuts;
    pthread_mutex_unlock(&self->lock);
    int upstream = refuse ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (upstream < 0 ||
        connect(upstream, (struct sockaddr *)&self->server, sizeof self->server) != 0) {
        if (upstream >= 0) close(upstream);
        close(client);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    proxy_link *made = calloc(1, sizeof *made);
    if (made == NULL) die("calloc");
    made->owner = self;
    made->client = client;
    made->server = upstream;
    made->cuts = cuts;
    made->framings[PROXY_TO_SERVER].untyped = true;
    pthread_mutex_lock(&self->lock);
    if (self->link_count == LINKS) {
        /* The oldest have ended long ago: a client has few connections at once. */
        proxy_link *oldest = self->links[0];
        memmove(self->links, self->links + 1, (LINKS - 1) * sizeof self->links[0]);
        self->link_count--;
        oldest->ended = true;
        pthread_mutex_unlock(&self->lock);
        pthread_join(oldest->thread, NULL);
        free(oldest);
        pthread_mutex_lock(&self->lock);
    }
    self->links[self->link_count++] = made;
    if (pthread_create(&made->thread, NULL, serve, made) != 0) die("pthread_create");
    pthread_mutex_unlock(&self->lock);
}

static void *listen_on(void *context)
{
    proxy *self = context;
    for (bool stopping = false; !stopping;) {
        struct pollfd listener = {self->listener, POLLIN, 0};
        if (poll(&listener, 1, POLL_MS) > 0) {
            int client = accept(self->listener, NULL, NULL);
            if (client >= 0) take_connection(self, client);
        }
        pthread_mutex_lock(&self->lock);
        stopping = self->stopping;
        pthread_mutex_unlock(&self->lock);
    }
    return NULL;
}

proxy *proxy_start(const char *server_folder)
{
    proxy *self = calloc(1, sizeof *self);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (self == NULL) die("calloc");
    self->server.sun_family = AF_UNIX;
    snprintf(self->server.sun_path, sizeof self->server.sun_path, "%s/.s.PGSQL.5432",
             server_folder);
    pthread_mutex_init(&self->lock, NULL);
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->listener < 0 || bind(self->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(self->listener, 64) != 0 ||
        getsockname(self->listener, (struct sockaddr *)&address, &size) != 0)
        die("listening");
    snprintf(self->url, sizeof self->url,
             "host=127.0.0.1 port=%d user=conversation dbname=postgres sslmode=disable "
             "gssencmode=disable",
             ntohs(address.sin_port));
    if (pthread_create(&self->thread, NULL, listen_on, self) != 0) die("pthread_create");
    return self;
}

const char *proxy_url(const proxy *self)
{
    return self->url;
}

void proxy_stop(proxy *self)
{
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    for (size_t i = 0; i < self->link_count; i++) {
        pthread_join(self->links[i]->thread, NULL);
        free(self->links[i]);
    }
    close(self->listener);
    free(self);
}

void proxy_set(proxy *self, const proxy_plan *plan)
{
    pthread_mutex_lock(&self->lock);
    self->plan = *plan;
    self->armed = plan->action != PROXY_PASS;
    self->acted = false;
    memset(self->bytes, 0, sizeof self->bytes);
    memset(self->messages, 0, sizeof self->messages);
    pthread_mutex_unlock(&self->lock);
}

bool proxy_has_acted(proxy *self)
{
    pthread_mutex_lock(&self->lock);
    bool acted = self->acted;
    pthread_mutex_unlock(&self->lock);
    return acted;
}

long proxy_bytes(proxy *self, proxy_direction direction)
{
    pthread_mutex_lock(&self->lock);
    long bytes = self->bytes[direction];
    pthread_mutex_unlock(&self->lock);
    return bytes;
}

long proxy_messages(proxy *self, proxy_direction direction)
{
    pthread_mutex_lock(&self->lock);
    long messages = self->messages[direction];
    pthread_mutex_unlock(&self->lock);
    return messages;
}

long proxy_messages_of(proxy *self, proxy_direction direction, char type)
{
    pthread_mutex_lock(&self->lock);
    long messages = self->types[direction][type & 127];
    pthread_mutex_unlock(&self->lock);
    return messages;
}

void proxy_cut_all(proxy *self)
{
    pthread_mutex_lock(&self->lock);
    self->cuts++;
    for (size_t i = 0; i < self->link_count; i++) {
        if (self->links[i]->client >= 0) shutdown(self->links[i]->client, SHUT_RDWR);
        if (self->links[i]->server >= 0) shutdown(self->links[i]->server, SHUT_RDWR);
    }
    pthread_mutex_unlock(&self->lock);
}

void proxy_refuse(proxy *self, bool refuse)
{
    pthread_mutex_lock(&self->lock);
    self->refusing = refuse;
    pthread_mutex_unlock(&self->lock);
}

void proxy_slow(proxy *self, bool slices, int pause_us)
{
    pthread_mutex_lock(&self->lock);
    self->slices = slices;
    self->pause_us = pause_us;
    pthread_mutex_unlock(&self->lock);
}
