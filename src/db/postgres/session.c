/* Settings of a session. They must not change what a statement does, only what a dead client costs.
 */
#include "db/postgres/session.h"

#include "db/postgres/libpq.h"
#include "db/postgres/pipeline.h"

static const conv__statement check_client = {"conv_check_client", "connect", 0, true,
                                             "SET client_connection_check_interval = '1s'"};

conv_status conv__session_settle(conv__connection *connection, conv_error *error)
{
    if (atomic_load(connection->unnamed)) return CONV_OK;
    conv__operation set = {.statement = &check_client};
    conv__bracket alone = {CONV__BEGIN_NOT, false};
    conv_status status = conv__pipeline_run(connection, &set, alone, check_client.action,
                                            connection->open_by_ns, error);
    return connection->broken || status == CONV_TIMEOUT ? status : CONV_OK;
}
