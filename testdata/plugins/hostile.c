/* A plugin that does what its `data` says, all of it bad. For the tests of what sealer makes of it. */
#include <sealer_plugin.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION SEALER_PLUGIN_VERSION
#endif

static void say(sealer_write write, void *sink, const char *text) {
    write(sink, (const uint8_t *)text, strlen(text));
}

static void show(void *sink, const uint8_t *data, size_t size) {
    (void)sink;
    printf("answer: %.*s\n", (int)size, (const char *)data);
}

static int asked(const char *request, size_t size, const char *how) {
    char field[64];
    snprintf(field, sizeof field, "\"data\":\"%s\"", how);
    return memmem(request, size, field, strlen(field)) != NULL;
}

/* Whatever socket this process has leads to sealer. */
static void garbage(void) {
    for (int fd = 3; fd < 256; fd++) {
        int type;
        socklen_t size = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0)
            (void)!write(fd, "this is no message\n", 19);
    }
    pause();
}

/* JSON so deep that a reader which calls itself for each level has no stack left. */
static const char *deep(void) {
    static char text[400000];
    memset(text, '[', 200000);
    memset(text + 200000, ']', 199999);
    return text;
}

/* A gigabyte, in lines of 64 KiB. */
static void gigabyte(void) {
    static char line[64 << 10];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 16 << 10; i++)
        for (size_t done = 0; done < sizeof line;) {
            ssize_t count = write(1, line + done, sizeof line - done);
            if (count < 0)
                _exit(9);
            done += (size_t)count;
        }
}

/* Takes memory until there is none; few pages of it are touched. */
static void leak(void) {
    for (;;) {
        char *block = malloc(64 << 20);
        if (!block)
            abort();
        *(volatile char *)block = 1;
    }
}

static int32_t run(const uint8_t *data, size_t size, const struct sealer_host *host, sealer_write write, void *sink) {
    const char *request = (const char *)data;
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("about to misbehave");
    if (asked(request, size, "refuse"))
        return say(write, sink, "there is "), say(write, sink, "nothing to do here"), SEALER_FAILED;
    if (asked(request, size, "panic"))
        return say(write, sink, "index out of bounds"), SEALER_PANICKED;
    if (asked(request, size, "odd status"))
        return 77;
    if (asked(request, size, "segfault"))
        *(volatile int *)8 = 1;
    if (asked(request, size, "abort"))
        abort();
    if (asked(request, size, "exit"))
        _exit(3);
    if (asked(request, size, "exit well"))
        exit(0);
    if (asked(request, size, "hang"))
        for (;;)
            pause();
    if (asked(request, size, "leave a child behind")) {
        if (fork() == 0)
            for (;;)
                pause();
        return SEALER_OK;
    }
    if (asked(request, size, "garbage"))
        garbage();
    if (asked(request, size, "flood"))
        for (int line = 0; line < 200000; line++)
            puts("0123456789012345678901234567890123456789");
    if (asked(request, size, "gigabyte"))
        gigabyte();
    if (asked(request, size, "fork bomb"))
        for (;;)
            fork();
    if (asked(request, size, "orphan")) {
        /* In a session of its own, and nobody's child. */
        if (fork() == 0) {
            setsid();
            if (fork() == 0)
                for (;;)
                    pause();
            _exit(0);
        }
        return SEALER_OK;
    }
    if (asked(request, size, "close everything"))
        for (int fd = 0; fd < 1024; fd++)
            close(fd);
    if (asked(request, size, "leak"))
        leak();
    if (asked(request, size, "forge")) {
        /* What an executable would say to sealer is a line like any other here. */
        puts("{\"done\":null}");
        puts("{\"ask\":{\"op\":\"set_state\",\"value\":\"forged\"}}");
        return say(write, sink, "it was not done"), SEALER_FAILED;
    }
    if (asked(request, size, "deep question")) {
        host->call(host->context, (const uint8_t *)deep(), strlen(deep()), show, NULL);
        return SEALER_OK;
    }
    if (asked(request, size, "deep error"))
        return say(write, sink, deep()), SEALER_FAILED;
    if (asked(request, size, "nonsense")) {
        const char *asks[] = {"no json", "{\"op\":\"reboot\"}", "{\"op\":\"exec\",\"host\":\"10.9.9.9\",\"command\":\"true\"}"};
        for (int i = 0; i < 3; i++)
            host->call(host->context, (const uint8_t *)asks[i], strlen(asks[i]), show, NULL);
    }
    return SEALER_OK;
}

#ifdef EACH
/* Called for each host by itself: crashes on the one that its data names, and leaves a mark on others. */
static int32_t describe(const uint8_t *request, size_t size, const struct sealer_host *host, sealer_write write, void *sink) {
    (void)request, (void)size, (void)host;
    return say(write, sink, "{\"scope\":\"host\"}"), SEALER_OK;
}

static int32_t run_each(const uint8_t *data, size_t size, const struct sealer_host *host, sealer_write write, void *sink) {
    char request[8192], own[256], text[1024];
    (void)write, (void)sink;
    snprintf(request, sizeof request, "%.*s", (int)size, (const char *)data);
    sscanf(strstr(request, "\"hosts\":[\""), "\"hosts\":[\"%255[^\"]", own);
    snprintf(text, sizeof text, "\"data\":\"%s\"", own);
    if (strstr(request, text))
        abort();
    snprintf(text, sizeof text, "{\"op\":\"exec\",\"host\":\"%s\",\"command\":\"touch /root/each\"}", own);
    return host->call(host->context, (const uint8_t *)text, strlen(text), show, NULL);
}
#define run run_each
#elif defined DEEP
static int32_t describe(const uint8_t *request, size_t size, const struct sealer_host *host, sealer_write write, void *sink) {
    (void)request, (void)size, (void)host;
    return say(write, sink, deep()), SEALER_OK;
}
#else
#define describe 0
#endif

#ifdef GO
int mark __asm__("local.pluginmoduledata") = 1; /* as Go's linker marks its plugins */
#endif

#ifdef POINTER
const char *PluginType = "HOSTILE";
#elif !defined NO_TYPE
const char PluginType[] = "HOSTILE";
#endif
#ifndef NO_PLUGIN
const struct sealer_plugin Plugin = {sizeof(struct sealer_plugin), VERSION, run, describe, 0, 0, 0};
#else
int32_t (*const unused)(const uint8_t *, size_t, const struct sealer_host *, sealer_write, void *) = run;
#endif
