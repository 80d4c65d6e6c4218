/* The daily summary: refreshing it, and comparing it with the ledger. Holds no SQL. */
#ifndef CONV__SERVICES_RECONCILE_H
#define CONV__SERVICES_RECONCILE_H

#include "conversation/report.h"
#include "repositories/store.h"

/* See conv_usage_refresh and conv_reconcile; `timeout_ms` holds where the params name none. */
CONV_WARN_UNUSED conv_status conv__usage_refresh(conv__store *store, int64_t timeout_ms,
                                                 const conv_refresh_params *params, int64_t *hours,
                                                 conv_error *error);
CONV_WARN_UNUSED conv_status conv__usage_reconcile(conv__store *store, int64_t timeout_ms,
                                                   const conv_reconcile_params *params,
                                                   conv_reconciliation **result, conv_error *error);

#endif
