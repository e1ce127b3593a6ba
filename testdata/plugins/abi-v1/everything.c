/* A plugin that was written for version 1 of the ABI, when that was frozen. It has every verb, asks for
 * everything, and prints what crosses the border: `<` comes from sealer, `>` goes to it.
 * Never change this file, nor the header beside it: whatever was built of them has to load for ever. */
#include "sealer_plugin.h"

#include <stdio.h>
#include <string.h>

#ifndef SIZE
#define SIZE sizeof(struct sealer_plugin)
#endif

static void show(void *sink, const uint8_t *data, size_t size) {
    (void)sink;
    printf("< %.*s\n", (int)size, (const char *)data);
}

static void ask(const struct sealer_host *host, const char *request) {
    printf("> %s\n", request);
    fflush(stdout);
    if (host->call(host->context, (const uint8_t *)request, strlen(request), show, NULL) != SEALER_OK)
        puts("< sealer is gone");
}

static void begin(const char *verb, const uint8_t *request, size_t size, const struct sealer_host *host) {
    printf("= %s\n< {\"size\":%d,\"version\":%u}\n", verb, host->size >= sizeof(struct sealer_host), host->version);
    show(NULL, request, size);
}

static int32_t end(int32_t status, const char *answer, sealer_write write, void *sink) {
    /* In two pieces, which add up. */
    printf("> %d %s\n", status, answer);
    fflush(stdout);
    size_t half = strlen(answer) / 2;
    write(sink, (const uint8_t *)answer, half);
    write(sink, (const uint8_t *)answer + half, strlen(answer) - half);
    return status;
}

static int32_t describe(const uint8_t *request, size_t size, const struct sealer_host *host, sealer_write write, void *sink) {
    begin("describe", request, size, host);
    return end(SEALER_OK,
               "{\"version\":\"1.0\",\"summary\":\"asks for everything\",\"phases\":[\"PostInstall\"],\"scope\":\"cluster\","
               "\"needs\":[\"exec\",\"copy\",\"read\",\"kube\"],\"idempotent\":true,\"timeout_seconds\":60}",
               write, sink);
}

static int32_t validate(const uint8_t *request, size_t size, const struct sealer_host *host, sealer_write write, void *sink) {
    begin("validate", request, size, host);
    return end(SEALER_FAILED, "the data is wrong", write, sink);
}

static int32_t plan(const uint8_t *request, size_t size, const struct sealer_host *host, sealer_write write, void *sink) {
    begin("plan", request, size, host);
    ask(host, "{\"op\":\"read\",\"host\":\"10.0.0.1\",\"path\":\"/etc/hostname\"}");
    ask(host, "{\"op\":\"exec\",\"host\":\"10.0.0.1\",\"command\":\"reboot\"}");
    return end(SEALER_OK, "{\"steps\":[\"one\",\"two\"]}", write, sink);
}

static int32_t run(const uint8_t *request, size_t size, const struct sealer_host *host, sealer_write write, void *sink) {
    begin("run", request, size, host);
    ask(host, "{\"op\":\"exec\",\"host\":\"10.0.0.1\",\"command\":\"uname -r\"}");
    ask(host, "{\"op\":\"copy\",\"source\":\"/etc/hosts\",\"host\":\"10.0.0.1\",\"dest\":\"/etc/x\",\"mode\":420}");
    ask(host, "{\"op\":\"read\",\"host\":\"10.0.0.1\",\"path\":\"/etc/hostname\"}");
    ask(host, "{\"op\":\"kube\",\"method\":\"GET\",\"path\":\"/api/v1/nodes\"}");
    ask(host, "{\"op\":\"kube\",\"method\":\"PATCH\",\"path\":\"/api/v1/nodes/a\",\"body\":\"{}\",\"content_type\":\"application/merge-patch+json\"}");
    ask(host, "{\"op\":\"log\",\"line\":\"a line\",\"host\":\"10.0.0.1\"}");
    ask(host, "{\"op\":\"log\",\"line\":\"another\"}");
    ask(host, "{\"op\":\"progress\",\"done\":1,\"total\":2,\"unit\":\"hosts\"}");
    ask(host, "{\"op\":\"progress\",\"done\":2}");
    ask(host, "{\"op\":\"cancelled\"}");
    ask(host, "{\"op\":\"get_state\"}");
    ask(host, "{\"op\":\"set_state\",\"value\":\"kept\"}");
    ask(host, "{\"op\":\"get_state\"}");
    ask(host, "{\"op\":\"set_state\",\"value\":null}");
    ask(host, "{\"op\":\"exec\",\"host\":\"10.9.9.9\",\"command\":\"true\"}");
    return end(SEALER_OK, "", write, sink);
}

static int32_t undo(const uint8_t *request, size_t size, const struct sealer_host *host, sealer_write write, void *sink) {
    begin("undo", request, size, host);
    return end(SEALER_PANICKED, "index out of bounds", write, sink);
}

const char PluginType[] = "EVERYTHING_V1";
#ifdef APPENDED
/* As a later version may append functions. */
const struct {
    struct sealer_plugin known;
    void *unknown[3];
} Plugin = {{SIZE, SEALER_PLUGIN_VERSION, run, describe, validate, plan, undo}, {(void *)1, (void *)1, (void *)1}};
#else
const struct sealer_plugin Plugin = {SIZE, SEALER_PLUGIN_VERSION, run, describe, validate, plan, undo};
#endif
