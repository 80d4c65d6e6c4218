/* The version that was compiled into the library. */
#include "conversation/version.h"

const char *conv_version(void)
{
    return CONV_VERSION;
}
