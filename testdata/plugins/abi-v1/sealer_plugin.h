/* The C ABI between sealer and a plugin: version 1.
 *
 * A plugin is a shared object that exports two symbols:
 *
 *     const char PluginType[] = "MY_TYPE";          the `spec.type` of its YAML
 *     const struct sealer_plugin Plugin = { sizeof(struct sealer_plugin), SEALER_PLUGIN_VERSION, run };
 *
 * `PluginType` must be an array, not a pointer: sealer reads it from the file without running it.
 *
 * Memory never changes owner. Bytes go out as pointer and size and are valid for the length of the
 * call; bytes come back through a callback that copies them. Nothing may unwind (C++ exceptions,
 * panics) across these functions. Requests and answers are JSON in UTF-8, without a NUL at the end;
 * they only ever gain optional fields: ignore what you do not know. docs/reference/plugin-abi.md
 * has the messages.
 *
 * The plugin runs in a process of its own. What it prints is shown to the operator.
 *
 * Frozen: these structs never change. Later versions of sealer may append functions; `size` says
 * how much of a struct the other side knows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SEALER_PLUGIN_H
#define SEALER_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SEALER_PLUGIN_VERSION 1u

/* What a function of the plugin returns. */
#define SEALER_OK 0       /* done */
#define SEALER_FAILED 1   /* not done; a message for people was written to the sink */
#define SEALER_PANICKED 2 /* not done, by a bug of the plugin; the message was written to the sink */

/* Takes bytes. May be called several times; the pieces add up. */
typedef void (*sealer_write)(void *sink, const uint8_t *data, size_t size);

/* What the plugin may ask of sealer, for the length of one call. */
struct sealer_host {
    uint32_t size;    /* sizeof this struct as sealer knows it */
    uint32_t version; /* SEALER_PLUGIN_VERSION */
    void *context;    /* goes back as call's first argument */
    /* Asks for something. `request` and what is written to the sink are JSON:
     *   {"op":"exec","host":"10.0.0.1","command":"uname -r"} -> {"status":0,"stdout":"...","stderr":"..."}
     *   {"op":"copy","source":"/local/file","host":"10.0.0.1","dest":"/etc/x","mode":420} -> {}
     *   {"op":"log","line":"...","host":"10.0.0.1"}          -> {}      ("host" may be left out)
     * and {"error":"..."} where it could not be done. A command that fails is not an error.
     * Returns 0 unless sealer is gone. May be called from any thread. */
    int32_t (*call)(void *context, const uint8_t *request, size_t request_size, sealer_write write, void *sink);
};

/* One of the plugin's functions. */
typedef int32_t (*sealer_verb)(const uint8_t *request, size_t request_size, const struct sealer_host *host,
                               sealer_write write, void *sink);

/* The type of the exported symbol `Plugin`. */
struct sealer_plugin {
    uint32_t size;        /* sizeof this struct as the plugin knows it */
    uint32_t version;     /* SEALER_PLUGIN_VERSION */
    sealer_verb run;      /* does the work; required, the others may be NULL */
    sealer_verb describe; /* says what the plugin is */
    sealer_verb validate; /* checks its data, and touches nothing */
    sealer_verb plan;     /* says what `run` would do */
    sealer_verb undo;     /* takes back what `run` did */
};

#ifdef __cplusplus
}
#endif

#endif
