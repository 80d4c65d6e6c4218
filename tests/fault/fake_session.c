/* See fake_internal.h: one connection, as much of the protocol as is needed. Source of the
 * messages: PostgreSQL, "Frontend/Backend Protocol". */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault/fake_internal.h"

enum { INT8_TYPE = 20, SSL_CODE = 80877103 };

void fake_die(const char *what)
{
    fprintf(stderr, "fake server: %s: %s\n", what, strerror(errno));
    exit(99);
}

uint32_t fake_read_int4(const char *data)
{
    uint32_t value;
    memcpy(&value, data, sizeof value);
    return ntohl(value);
}

void fake_put(fake_session *self, const void *data, size_t size)
{
    if (self->out_size + size > sizeof self->out) fake_die("an answer is too long");
    memcpy(self->out + self->out_size, data, size);
    self->out_size += size;
}

void fake_put_int4(fake_session *self, uint32_t value)
{
    uint32_t bytes = htonl(value);
    fake_put(self, &bytes, sizeof bytes);
}

void fake_put_int2(fake_session *self, uint16_t value)
{
    uint16_t bytes = htons(value);
    fake_put(self, &bytes, sizeof bytes);
}

static void put_text(fake_session *self, const char *text)
{
    fake_put(self, text, strlen(text) + 1);
}

size_t fake_begin(fake_session *self, char type)
{
    fake_put(self, &type, 1);
    fake_put_int4(self, 0);
    return self->out_size - 4;
}

void fake_end(fake_session *self, size_t start)
{
    uint32_t length = htonl((uint32_t)(self->out_size - start));
    memcpy(self->out + start, &length, sizeof length);
}

static void put_empty(fake_session *self, char type)
{
    fake_end(self, fake_begin(self, type));
}

void fake_put_tag(fake_session *self, const char *tag)
{
    size_t start = fake_begin(self, 'C');
    put_text(self, tag);
    fake_end(self, start);
}

static void flush(fake_session *self)
{
    if (self->out_size > 0 && send(self->descriptor, self->out, self->out_size, MSG_NOSIGNAL) < 0)
        self->ended = true;
    self->out_size = 0;
}

static void put_field(fake_session *self, char type, const char *value)
{
    if (value == NULL) return;
    fake_put(self, &type, 1);
    put_text(self, value);
}

void fake_put_error(fake_session *self, const fake_plan *what)
{
    size_t start = fake_begin(self, 'E');
    put_field(self, 'S', what->severity);
    put_field(self, 'V', what->severity);
    put_field(self, 'C', what->sqlstate);
    put_field(self, 'M', what->message);
    put_field(self, 'n', what->constraint);
    fake_put(self, "", 1);
    fake_end(self, start);
}

bool fake_fails(fake_session *self, fake_step step, fake_plan *plan)
{
    fake_server *owner = self->owner;
    pthread_mutex_lock(&owner->lock);
    bool now = owner->plan.step == step && owner->hits < owner->plan.times;
    if (now) owner->hits++;
    *plan = owner->plan;
    pthread_mutex_unlock(&owner->lock);
    if (!now) return false;
    if (plan->sqlstate != NULL) fake_put_error(self, plan);
    self->failed = true;
    self->status = 'I';
    if (strcmp(plan->severity, "ERROR") != 0) {
        flush(self);
        self->ended = true;
    }
    return true;
}

static void describe(fake_session *self)
{
    int columns = fake_columns(self->bound);
    if (columns == 0) {
        put_empty(self, 'n');
        return;
    }
    size_t start = fake_begin(self, 'T');
    fake_put_int2(self, (uint16_t)columns);
    for (int i = 0; i < columns; i++) {
        put_text(self, "column");
        fake_put_int4(self, 0);
        fake_put_int2(self, 0);
        fake_put_int4(self, INT8_TYPE);
        fake_put_int2(self, 8);
        fake_put_int4(self, UINT32_MAX);
        fake_put_int2(self, 1);
    }
    fake_end(self, start);
}

static void parse(fake_session *self, const char *body)
{
    const char *sql = body + strlen(body) + 1;
    size_t at = 0;
    while (at < self->statement_count && strcmp(self->statements[at].name, body) != 0)
        at++;
    if (at == FAKE_STATEMENTS) fake_die("too many statements");
    if (at == self->statement_count) self->statement_count++;
    if (strlen(body) >= sizeof self->statements[at].name)
        fake_die("a statement's name is too long");
    strcpy(self->statements[at].name, body);
    self->statements[at].what = fake_kind_of(sql);
    put_empty(self, '1');
}

static void bind_statement(fake_session *self, const char *body, size_t size)
{
    const char *name = body + strlen(body) + 1;
    const char *at = name + strlen(name) + 1;
    uint16_t formats;
    self->bound = FAKE_OTHER;
    for (size_t i = 0; i < self->statement_count; i++)
        if (strcmp(self->statements[i].name, name) == 0) self->bound = self->statements[i].what;
    memcpy(&formats, at, sizeof formats);
    at += 2 + 2 * (size_t)ntohs(formats) + 2;
    size_t left = size - (size_t)(at - body);
    memcpy(self->parameters, at, left);
    put_empty(self, '2');
}

static void synchronize(fake_session *self)
{
    fake_plan plan;
    if (self->committed && !self->failed) fake_fails(self, FAKE_SYNC, &plan);
    self->committed = false;
    self->failed = false;
    if (self->ended) return;
    size_t start = fake_begin(self, 'Z');
    fake_put(self, &self->status, 1);
    fake_end(self, start);
    flush(self);
}

static void take_message(fake_session *self, char type, const char *body, size_t size)
{
    if (type == 'S') {
        synchronize(self);
    } else if (type == 'X') {
        self->ended = true;
    } else if (!self->failed) {
        if (type == 'P') parse(self, body);
        if (type == 'B') bind_statement(self, body, size);
        if (type == 'D') describe(self);
        if (type == 'E') fake_execute(self);
    }
}

/* Waits for so many bytes; false at the end of the connection. */
static bool read_bytes(fake_session *self, char *data, size_t size)
{
    while (size > 0) {
        ssize_t got = recv(self->descriptor, data, size, 0);
        if (got <= 0) return false;
        data += got;
        size -= (size_t)got;
    }
    return true;
}

static void put_setting(fake_session *self, const char *name, const char *value)
{
    size_t start = fake_begin(self, 'S');
    put_text(self, name);
    put_text(self, value);
    fake_end(self, start);
}

static bool greet(fake_session *self)
{
    char head[8];
    char body[FAKE_MESSAGE];
    fake_plan plan;
    if (!read_bytes(self, head, 8)) return false;
    uint32_t length = fake_read_int4(head);
    if (fake_read_int4(head + 4) >= SSL_CODE || length < 8 || length - 8 > sizeof body)
        return false;
    if (!read_bytes(self, body, length - 8) || fake_fails(self, FAKE_CONNECT, &plan)) return false;
    size_t start = fake_begin(self, 'R');
    fake_put_int4(self, 0);
    fake_end(self, start);
    put_setting(self, "server_version", "15.0");
    put_setting(self, "server_encoding", "UTF8");
    put_setting(self, "client_encoding", "UTF8");
    put_setting(self, "integer_datetimes", "on");
    start = fake_begin(self, 'K');
    fake_put_int4(self, 1);
    fake_put_int4(self, 1);
    fake_end(self, start);
    self->status = 'I';
    synchronize(self);
    return true;
}

void *fake_serve(void *context)
{
    fake_session *self = context;
    char *body = malloc(FAKE_MESSAGE + 1);
    if (body == NULL) fake_die("malloc");
    bool going = greet(self);
    while (going && !self->ended) {
        char head[5];
        if (!read_bytes(self, head, 5)) break;
        size_t size = fake_read_int4(head + 1) - 4;
        if (size > FAKE_MESSAGE || !read_bytes(self, body, size)) break;
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
