/* A plugin for a version of the ABI that is yet to come. */
#include "sealer_plugin.h"

const char PluginType[] = "LIST_NODE";
const struct sealer_plugin Plugin = {.size = sizeof(struct sealer_plugin), .version = 99};
