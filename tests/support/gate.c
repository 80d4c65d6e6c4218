#include "support/gate.h"

void gate_pass(void *context)
{
    gate *self = context;
    pthread_mutex_lock(&self->lock);
    self->reached = true;
    pthread_cond_broadcast(&self->changed);
    while (!self->open)
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
}

void gate_await(gate *self)
{
    pthread_mutex_lock(&self->lock);
    while (!self->reached)
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
}

void gate_open(gate *self)
{
    pthread_mutex_lock(&self->lock);
    self->open = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}
