/* What all providers share. Knows none of them. */
#include "conversation/provider.h"

void conv_provider_free(conv_provider *provider)
{
    if (provider != NULL) provider->functions->free(provider);
}
