/* Copies of what the application gave or a row points to, for results that outlive it. */
#ifndef CONV__SERVICES_COPY_H
#define CONV__SERVICES_COPY_H

#include "conversation/message.h"
#include "conversation/status.h"
#include "conversation/usage.h"
#include "core/memory.h"

/* Every text moves into the arena, a NUL behind it. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__copy_message(conv__arena *arena, conv_message *message);
CONV_WARN_UNUSED conv_status conv__copy_usage(conv__arena *arena, conv_usage *usage);

#endif
