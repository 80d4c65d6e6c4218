/* See fake_server.h: who connects, and the plan. One thread for each connection. */
#include "fault/fake_server.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fault/fake_internal.h"

enum { POLL_MS = 20 };

/* Forgets those that ended; with the lock. */
static void take_connection(fake_server *self, int descriptor)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->session_count; i++) {
        fake_session *one = self->sessions[i];
        if (one->descriptor >= 0) {
            self->sessions[kept++] = one;
            continue;
        }
        pthread_join(one->thread, NULL);
        free(one);
    }
    self->session_count = kept;
    fake_session *made = calloc(1, sizeof *made);
    if (made == NULL || kept == FAKE_SESSIONS) fake_die("too many connections");
    made->owner = self;
    made->descriptor = descriptor;
    self->sessions[self->session_count++] = made;
    if (pthread_create(&made->thread, NULL, fake_serve, made) != 0) fake_die("pthread_create");
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
    if (self == NULL) fake_die("calloc");
    snprintf(self->folder, sizeof self->folder, "/tmp/conversation-fake-XXXXXX");
    if (mkdtemp(self->folder) == NULL) fake_die(self->folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.5432", self->folder);
    snprintf(self->url, sizeof self->url, "host='%s' port=5432 user=fake dbname=fake",
             self->folder);
    pthread_mutex_init(&self->lock, NULL);
    pthread_mutex_init(&self->store.lock, NULL);
    self->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->listener < 0 ||
        bind(self->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(self->listener, 64) != 0)
        fake_die("listening");
    if (pthread_create(&self->thread, NULL, listen_on, self) != 0) fake_die("pthread_create");
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

bool fake_has(fake_server *self, conv_uuid session_id, conv_uuid exchange_id)
{
    fake_exchange found;
    return fake_find_exchange(&self->store, (const char *)session_id.bytes,
                              (const char *)exchange_id.bytes, &found) &&
           strcmp(found.status, "failed") != 0;
}

fake_content fake_look(fake_server *self)
{
    fake_content content = {0};
    fake_store *store = &self->store;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->exchange_count; i++) {
        bool failed = strcmp(store->exchanges[i].status, "failed") == 0;
        content.failed += failed;
        content.exchanges += !failed;
        content.half += !store->exchanges[i].whole;
    }
    content.records = (long)store->record_count;
    pthread_mutex_unlock(&store->lock);
    return content;
}

void fake_empty(fake_server *self)
{
    fake_forget(&self->store);
}
