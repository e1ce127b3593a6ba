/* What Go's linker leaves in the output of `-buildmode=plugin`: the table of what a plugin exports,
 * and its symbols by the names of its package. */
const char tabs[] __asm__("\"go:plugin.tabs\"") = "";
const char moduledata[] __asm__("\"local.pluginmoduledata\"") = "";
const char plugin_type[] __asm__("\"plugin/unnamed-4f1c.PluginType\"") = "LIST_NODE";
