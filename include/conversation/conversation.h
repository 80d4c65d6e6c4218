/* libconversation: conversations with language models, and what they cost, saved exactly once. */
#ifndef CONVERSATION_H
#define CONVERSATION_H

#include "async.h"
#include "bytes.h"
#include "client.h"
#include "decimal.h"
#include "document.h"
#include "events.h"
#include "health.h"
#include "history.h"
#include "journal.h"
#include "message.h"
#include "metrics.h"
#include "middleware.h"
#include "operation.h"
#include "provider.h"
#include "report.h"
#include "schema.h"
#include "search.h"
#include "session.h"
#include "status.h"
#include "store.h"
#include "summary.h"
#include "tracking.h"
#include "transcript.h"
#include "turn.h"
#include "usage.h"
#include "uuid.h"
#include "version.h"
#include "zone.h"

#endif
