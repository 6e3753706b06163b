#include "engine/net/dpdk/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* The shared object itself (embed.py). */
extern const uint8_t stack_image[], stack_image_end[];

static bool write_image(int fd)
{
    for (const uint8_t *at = stack_image; at < stack_image_end;) {
        ssize_t written = write(fd, at, (size_t)(stack_image_end - at));
        if (written <= 0)
            return false;
        at += written;
    }
    return true;
}

static enum status load(struct module *module, struct fault *fault)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", module->fd);
    module->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module->handle)
        return fault_set(fault, STATUS_SYSTEM, "the TCP stack can't be loaded: %s", dlerror());
    /* POSIX lets a pointer to an object hold a function's */
    void *symbol = dlsym(module->handle, "net_stack_open");
    memcpy(&module->open, &symbol, sizeof symbol);
    if (module->open)
        return STATUS_OK;
    dlclose(module->handle);
    return fault_set(fault, STATUS_SYSTEM, "the TCP stack can't be loaded: it has no entry");
}

enum status module_load(struct module *module, struct fault *fault)
{
    struct module made = {.fd = memfd_create("mailrace-tcp", MFD_CLOEXEC)};
    if (made.fd < 0 || !write_image(made.fd)) {
        fault_set(fault, STATUS_SYSTEM, "the TCP stack can't be loaded: %s",
                  strerrordesc_np(errno));
        if (made.fd >= 0)
            close(made.fd);
        return STATUS_SYSTEM;
    }
    enum status status = load(&made, fault);
    if (status == STATUS_OK)
        *module = made;
    else
        close(made.fd);
    return status;
}

void module_unload(struct module *module)
{
    dlclose(module->handle);
    close(module->fd);
}
