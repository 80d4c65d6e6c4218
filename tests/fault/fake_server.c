/* See fake_server.h. One thread for each connection. Source of the messages: PostgreSQL, "Frontend/
 * Backend Protocol". */
#include "fault/fake_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { EXCHANGES = 4096, SESSIONS = 64, STATEMENTS = 16, PENDING = 64, MESSAGE = 1 << 16 };
enum { POLL_MS = 20, HASH_SIZE = 16, ID_SIZE = 16, INT8_TYPE = 20, SSL_CODE = 80877103 };

typedef enum kind { OTHER, BEGIN, SAVE, COMMIT, ROLLBACK, LOOKUP } kind;

typedef struct stored {
    char exchange_id[ID_SIZE];
    char request_hash[HASH_SIZE];
    char reply_hash[HASH_SIZE];
    char log_id[ID_SIZE];
} stored;

/* One connection. */
typedef struct session {
    fake_server *owner;
    pthread_t thread;
    int descriptor;
    bool ended;
    struct {
        char name[64];
        kind what;
    } statements[STATEMENTS];
    size_t statement_count;
    kind bound;
    char parameters[MESSAGE]; /* of the bound statement, from its first length */
    stored pending[PENDING];  /* saved, not committed */
    size_t pending_count;
    bool failed; /* skipping up to Sync */
    bool committed;
    char status; /* for ReadyForQuery */
    char out[MESSAGE];
    size_t out_size;
} session;

struct fake_server {
    char folder[64];
    char url[128];
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    bool stopping;
    session *sessions[SESSIONS];
    size_t session_count;
    fake_plan plan;
    int hits;
    stored exchanges[EXCHANGES];
    size_t exchange_count;
};

static void die(const char *what)
{
    fprintf(stderr, "fake server: %s: %s\n", what, strerror(errno));
    exit(99);
}

static void put(session *self, const void *data, size_t size)
{
    if (self->out_size + size > sizeof self->out) die("an answer is too long");
    memcpy(self->out + self->out_size, data, size);
    self->out_size += size;
}

static void put_int4(session *self, uint32_t value)
{
    uint32_t bytes = htonl(value);
    put(self, &bytes, sizeof bytes);
}

static void put_int2(session *self, uint16_t value)
{
    uint16_t bytes = htons(value);
    put(self, &bytes, sizeof bytes);
}

static void put_text(session *self, const char *text)
{
    put(self, text, strlen(text) + 1);
}

static size_t begin_message(session *self, char type)
{
    put(self, &type, 1);
    put_int4(self, 0);
    return self->out_size - 4;
}

static void end_message(session *self, size_t start)
{
    uint32_t length = htonl((uint32_t)(self->out_size - start));
    memcpy(self->out + start, &length, sizeof length);
}

static void put_empty(session *self, char type)
{
    end_message(self, begin_message(self, type));
}

static void put_tag(session *self, const char *tag)
{
    size_t start = begin_message(self, 'C');
    put_text(self, tag);
    end_message(self, start);
}

static void flush(session *self)
{
    if (self->out_size > 0 && send(self->descriptor, self->out, self->out_size, MSG_NOSIGNAL) < 0)
        self->ended = true;
    self->out_size = 0;
}

static void put_field(session *self, char type, const char *value)
{
    if (value == NULL) return;
    put(self, &type, 1);
    put_text(self, value);
}

/* Whether the step fails now; then the error has been said. */
static bool fails(session *self, fake_step step, fake_plan *plan)
{
    fake_server *owner = self->owner;
    pthread_mutex_lock(&owner->lock);
    bool now = owner->plan.step == step && owner->hits < owner->plan.times;
    if (now) owner->hits++;
    *plan = owner->plan;
    pthread_mutex_unlock(&owner->lock);
    if (!now) return false;
    size_t start = begin_message(self, 'E');
    put_field(self, 'S', plan->severity);
    put_field(self, 'V', plan->severity);
    put_field(self, 'C', plan->sqlstate);
    put_field(self, 'M', plan->message);
    put_field(self, 'n', plan->constraint);
    put(self, "", 1);
    end_message(self, start);
    self->failed = true;
    self->status = 'I';
    if (strcmp(plan->severity, "ERROR") != 0) {
        flush(self);
        self->ended = true;
    }
    return true;
}

static uint32_t read_int4(const char *data)
{
    uint32_t value;
    memcpy(&value, data, sizeof value);
    return ntohl(value);
}

/* Elements of the `number`-th parameter, an array; `at` is set to the length of the first. */
static uint32_t read_array(const session *self, int number, const char **at)
{
    const char *data = self->parameters;
    for (int i = 0; i < number; i++)
        data += 4 + read_int4(data);
    *at = data + 4 + 20;
    return read_int4(data + 4 + 12);
}

static const stored *find(fake_server *owner, const char *exchange_id)
{
    for (size_t i = 0; i < owner->exchange_count; i++)
        if (memcmp(owner->exchanges[i].exchange_id, exchange_id, ID_SIZE) == 0)
            return &owner->exchanges[i];
    return NULL;
}

static void put_int8_value(session *self, uint32_t value)
{
    put_int4(self, 8);
    put_int4(self, 0);
    put_int4(self, value);
}

/* The gate: gives a row for each exchange whose id is new. */
static void save(session *self)
{
    const char *ids;
    const char *requests;
    const char *replies;
    const char *logs;
    uint32_t count = read_array(self, 1, &ids);
    read_array(self, 2, &requests);
    read_array(self, 3, &replies);
    read_array(self, 7, &logs);
    self->pending_count = 0;
    for (uint32_t i = 0; i < count && i < PENDING; i++) {
        size_t offset = i * (size_t)(4 + ID_SIZE) + 4;
        pthread_mutex_lock(&self->owner->lock);
        bool known = find(self->owner, ids + offset) != NULL;
        pthread_mutex_unlock(&self->owner->lock);
        if (known) continue;
        stored *one = &self->pending[self->pending_count++];
        memcpy(one->exchange_id, ids + offset, ID_SIZE);
        memcpy(one->request_hash, requests + offset, HASH_SIZE);
        memcpy(one->reply_hash, replies + offset, HASH_SIZE);
        memcpy(one->log_id, logs + offset, ID_SIZE);
        size_t start = begin_message(self, 'D');
        put_int2(self, 3);
        put_int8_value(self, i + 1);
        put_int8_value(self, 1);
        put_int4(self, 1);
        put(self, "\1", 1); /* the session is new */
        end_message(self, start);
    }
    put_tag(self, "SELECT 1");
}

static void look_up(session *self)
{
    const char *ids;
    uint32_t count = read_array(self, 1, &ids);
    for (uint32_t i = 0; i < count; i++) {
        pthread_mutex_lock(&self->owner->lock);
        const stored *one = find(self->owner, ids + i * (size_t)(4 + ID_SIZE) + 4);
        pthread_mutex_unlock(&self->owner->lock);
        if (one == NULL) continue;
        size_t start = begin_message(self, 'D');
        put_int2(self, 5);
        put_int8_value(self, i + 1);
        put_int4(self, 8);
        put(self, "complete", 8);
        put_int4(self, HASH_SIZE);
        put(self, one->request_hash, HASH_SIZE);
        put_int4(self, HASH_SIZE);
        put(self, one->reply_hash, HASH_SIZE);
        put_int4(self, ID_SIZE);
        put(self, one->log_id, ID_SIZE);
        end_message(self, start);
    }
    put_tag(self, "SELECT 1");
}

static void commit(session *self)
{
    fake_server *owner = self->owner;
    pthread_mutex_lock(&owner->lock);
    for (size_t i = 0; i < self->pending_count; i++) {
        if (find(owner, self->pending[i].exchange_id) != NULL) continue;
        if (owner->exchange_count == EXCHANGES) die("too many exchanges");
        owner->exchanges[owner->exchange_count++] = self->pending[i];
    }
    pthread_mutex_unlock(&owner->lock);
    self->pending_count = 0;
}

static void execute(session *self)
{
    static const fake_step steps[] = {
        [OTHER] = FAKE_NEVER,   [BEGIN] = FAKE_BEGIN,    [SAVE] = FAKE_SAVE,
        [COMMIT] = FAKE_COMMIT, [ROLLBACK] = FAKE_NEVER, [LOOKUP] = FAKE_LOOKUP};
    fake_plan plan;
    if (steps[self->bound] != FAKE_NEVER && fails(self, steps[self->bound], &plan)) {
        if (self->bound == COMMIT && plan.commits) commit(self);
        self->pending_count = 0;
        return;
    }
    switch (self->bound) {
    case BEGIN:
        self->status = 'T';
        put_tag(self, "BEGIN");
        break;
    case SAVE:
        save(self);
        break;
    case COMMIT:
        commit(self);
        self->committed = true;
        self->status = 'I';
        put_tag(self, "COMMIT");
        break;
    case LOOKUP:
        look_up(self);
        break;
    case ROLLBACK:
    case OTHER:
        self->status = 'I';
        put_tag(self, self->bound == ROLLBACK ? "ROLLBACK" : "SET");
        break;
    }
}

static void describe(session *self)
{
    int columns = self->bound == SAVE ? 3 : self->bound == LOOKUP ? 5 : 0;
    if (columns == 0) {
        put_empty(self, 'n');
        return;
    }
    size_t start = begin_message(self, 'T');
    put_int2(self, (uint16_t)columns);
    for (int i = 0; i < columns; i++) {
        put_text(self, "column");
        put_int4(self, 0);
        put_int2(self, 0);
        put_int4(self, INT8_TYPE);
        put_int2(self, 8);
        put_int4(self, UINT32_MAX);
        put_int2(self, 1);
    }
    end_message(self, start);
}

static kind kind_of(const char *sql)
{
    if (strncmp(sql, "BEGIN", 5) == 0) return BEGIN;
    if (strncmp(sql, "COMMIT", 6) == 0) return COMMIT;
    if (strncmp(sql, "ROLLBACK", 8) == 0) return ROLLBACK;
    if (strstr(sql, "INSERT INTO chat_exchanges") != NULL) return SAVE;
    if (strstr(sql, "JOIN chat_exchanges e USING") != NULL) return LOOKUP;
    return OTHER;
}

static void parse(session *self, const char *body)
{
    const char *sql = body + strlen(body) + 1;
    size_t at = 0;
    while (at < self->statement_count && strcmp(self->statements[at].name, body) != 0)
        at++;
    if (at == STATEMENTS) die("too many statements");
    if (at == self->statement_count) self->statement_count++;
    if (strlen(body) >= sizeof self->statements[at].name) die("a statement's name is too long");
    strcpy(self->statements[at].name, body);
    self->statements[at].what = kind_of(sql);
    put_empty(self, '1');
}

static void bind_statement(session *self, const char *body, size_t size)
{
    const char *name = body + strlen(body) + 1;
    const char *at = name + strlen(name) + 1;
    uint16_t formats;
    self->bound = OTHER;
    for (size_t i = 0; i < self->statement_count; i++)
        if (strcmp(self->statements[i].name, name) == 0) self->bound = self->statements[i].what;
    memcpy(&formats, at, sizeof formats);
    at += 2 + 2 * (size_t)ntohs(formats) + 2;
    size_t left = size - (size_t)(at - body);
    memcpy(self->parameters, at, left);
    put_empty(self, '2');
}

static void synchronize(session *self)
{
    fake_plan plan;
    if (self->committed && !self->failed) fails(self, FAKE_SYNC, &plan);
    self->committed = false;
    self->failed = false;
    if (self->ended) return;
    size_t start = begin_message(self, 'Z');
    put(self, &self->status, 1);
    end_message(self, start);
    flush(self);
}

static void take_message(session *self, char type, const char *body, size_t size)
{
    if (type == 'S') {
        synchronize(self);
    } else if (type == 'X') {
        self->ended = true;
    } else if (!self->failed) {
        if (type == 'P') parse(self, body);
        if (type == 'B') bind_statement(self, body, size);
        if (type == 'D') describe(self);
        if (type == 'E') execute(self);
    }
}

/* Waits for so many bytes; false at the end of the connection. */
static bool read_bytes(session *self, char *data, size_t size)
{
    while (size > 0) {
        ssize_t got = recv(self->descriptor, data, size, 0);
        if (got <= 0) return false;
        data += got;
        size -= (size_t)got;
    }
    return true;
}

static void put_setting(session *self, const char *name, const char *value)
{
    size_t start = begin_message(self, 'S');
    put_text(self, name);
    put_text(self, value);
    end_message(self, start);
}

static bool greet(session *self)
{
    char head[8];
    char body[MESSAGE];
    fake_plan plan;
    if (!read_bytes(self, head, 8)) return false;
    uint32_t length = read_int4(head);
    if (read_int4(head + 4) >= SSL_CODE || length < 8 || length - 8 > sizeof body) return false;
    if (!read_bytes(self, body, length - 8) || fails(self, FAKE_CONNECT, &plan)) return false;
    size_t start = begin_message(self, 'R');
    put_int4(self, 0);
    end_message(self, start);
    put_setting(self, "server_version", "15.0");
    put_setting(self, "server_encoding", "UTF8");
    put_setting(self, "client_encoding", "UTF8");
    put_setting(self, "integer_datetimes", "on");
    start = begin_message(self, 'K');
    put_int4(self, 1);
    put_int4(self, 1);
    end_message(self, start);
    self->status = 'I';
    synchronize(self);
    return true;
}

static void *serve(void *context)
{
    session *self = context;
    char *body = malloc(MESSAGE + 1);
    if (body == NULL) die("malloc");
    bool going = greet(self);
    while (going && !self->ended) {
        char head[5];
        if (!read_bytes(self, head, 5)) break;
        size_t size = read_int4(head + 1) - 4;
        if (size > MESSAGE || !read_bytes(self, body, size)) break;
        body[size] = '\0';
        take_message(self, head[0], body, size);
    }
    flush(self);
    free(body);
    pthread_mutex_lock(&self->owner->lock);
    close(self->descriptor);
    self->descriptor = -1;
    pthread_mutex_unlock(&self->owner->lock);
    return NULL;
}

/* Forgets those that ended; with the lock. */
static void take_connection(fake_server *self, int descriptor)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->session_count; i++) {
        session *one = self->sessions[i];
        if (one->descriptor >= 0) {
            self->sessions[kept++] = one;
            continue;
        }
        pthread_join(one->thread, NULL);
        free(one);
    }
    self->session_count = kept;
    session *made = calloc(1, sizeof *made);
    if (made == NULL || kept == SESSIONS) die("too many connections");
    made->owner = self;
    made->descriptor = descriptor;
    self->sessions[self->session_count++] = made;
    if (pthread_create(&made->thread, NULL, serve, made) != 0) die("pthread_create");
}

static void *listen_on(void *context)
{
    fake_server *self = context;
    for (bool stopping = false; !stopping;) {
        struct pollfd listener = {self->listener, POLLIN, 0};
        int ready = poll(&listener, 1, POLL_MS);
        int descriptor = ready > 0 ? accept(self->listener, NULL, NULL) : -1;
        pthread_mutex_lock(&self->lock);
        if (descriptor >= 0) take_connection(self, descriptor);
        stopping = self->stopping;
        pthread_mutex_unlock(&self->lock);
    }
    return NULL;
}

fake_server *fake_start(void)
{
    fake_server *self = calloc(1, sizeof *self);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (self == NULL) die("calloc");
    snprintf(self->folder, sizeof self->folder, "/tmp/conversation-fake-XXXXXX");
    if (mkdtemp(self->folder) == NULL) die(self->folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432", self->folder);
    snprintf(self->url, sizeof self->url, "host='%s' port=5432 user=fake dbname=fake",
             self->folder);
    pthread_mutex_init(&self->lock, NULL);
    self->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->listener < 0 ||
        bind(self->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(self->listener, 64) != 0)
        die("listening");
    if (pthread_create(&self->thread, NULL, listen_on, self) != 0) die("pthread_create");
    return self;
}

const char *fake_url(const fake_server *self)
{
    return self->url;
}

void fake_drop(fake_server *self)
{
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->session_count; i++)
        if (self->sessions[i]->descriptor >= 0) shutdown(self->sessions[i]->descriptor, SHUT_RDWR);
    pthread_mutex_unlock(&self->lock);
}

void fake_stop(fake_server *self)
{
    char path[128];
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    fake_drop(self);
    for (size_t i = 0; i < self->session_count; i++) {
        pthread_join(self->sessions[i]->thread, NULL);
        free(self->sessions[i]);
    }
    close(self->listener);
    snprintf(path, sizeof path, "%s/.s.PGSQL.5432", self->folder);
    unlink(path);
    rmdir(self->folder);
    free(self);
}

void fake_set(fake_server *self, const fake_plan *plan)
{
    pthread_mutex_lock(&self->lock);
    self->plan = *plan;
    self->hits = 0;
    pthread_mutex_unlock(&self->lock);
}

int fake_hits(fake_server *self)
{
    pthread_mutex_lock(&self->lock);
    int hits = self->hits;
    pthread_mutex_unlock(&self->lock);
    return hits;
}

bool fake_has(fake_server *self, conv_uuid exchange_id)
{
    pthread_mutex_lock(&self->lock);
    bool has = find(self, (const char *)exchange_id.bytes) != NULL;
    pthread_mutex_unlock(&self->lock);
    return has;
}
