/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware, see firmware.h.
 *
 * The files of packages are looked for where Debian, Fedora and Arch put them, or in the one folder
 * that the environment's INSULA_FIRMWARE names.  They are never written to: variables are changed
 * in a copy, which is the user's file if there is one, else only memory.
 */
#include "machine/board/firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "machine/device/flash.h"

enum { LARGEST = 16 << 20, SMALLEST = 128 << 10 };

static const char *const folders[] = {
    "/usr/share/seabios", "/usr/share/OVMF",     "/usr/share/qemu",
    "/usr/lib/ipxe/qemu", "/usr/share/edk2/x64", "/usr/share/edk2/ovmf",
};

/* A kind of firmware by its name; files in order of preference. */
typedef struct Kind {
    const char *name, *package;
    const char *code[3], *variables[3];
} Kind;

static const Kind kinds[] = {
    { "bios", "seabios", { "bios-256k.bin", "bios.bin" }, { NULL } },
    { "uefi",
      "ovmf",
      { "OVMF_CODE_4M.fd", "OVMF_CODE.4m.fd", "OVMF_CODE.fd" },
      { "OVMF_VARS_4M.fd", "OVMF_VARS.4m.fd", "OVMF_VARS.fd" } },
};

/* The path of package file @name, or NULL.  Newly allocated. */
static char *find_path(const char *name)
{
    const char *only = g_getenv("INSULA_FIRMWARE");

    for (size_t i = 0; i < (only ? 1 : G_N_ELEMENTS(folders)); i++) {
        char *path = g_build_filename(only ? only : folders[i], name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
            return path;
        }
        g_free(path);
    }
    return NULL;
}

static char *find_first(const char *const names[3])
{
    char *path = NULL;

    for (unsigned i = 0; i < 3 && names[i] && !path; i++) {
        path = find_path(names[i]);
    }
    return path;
}

uint8_t *firmware_find(const char *name, size_t *ret_size)
{
    g_autofree char *path = find_path(name);
    char *contents = NULL;

    if (path && g_file_get_contents(path, &contents, ret_size, NULL)) {
        return (uint8_t *)contents;
    }
    return NULL;
}

/* A new block with the bytes of open file @fd. */
static RamBlock *read_block(GuestMemory *memory, const char *name, int fd, const char *path,
                            GError **error)
{
    struct stat status;

    if (fstat(fd, &status) < 0) {
        set_error_errno(error, errno, "cannot read firmware '%s'", path);
        return NULL;
    }
    if (!S_ISREG(status.st_mode) || status.st_size < FLASH_BLOCK || status.st_size > LARGEST ||
        status.st_size % FLASH_BLOCK) {
        set_error(error,
                  "cannot use firmware '%s': it must be a file of whole 4 KiB blocks, up to 16 MiB",
                  path);
        return NULL;
    }
    RamBlock *block = gm_add_block(memory, name, (uint64_t)status.st_size, error);
    if (block && pread(fd, block->hva, block->size, 0) != (ssize_t)block->size) {
        set_error_errno(error, errno, "cannot read firmware '%s'", path);
        return NULL;
    }
    return block;
}

static RamBlock *open_block(GuestMemory *memory, const char *name, const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        set_error_errno(error, errno, "cannot open firmware '%s'", path);
        return NULL;
    }
    RamBlock *block = read_block(memory, name, fd, path, error);
    close(fd);
    return block;
}

/* The user's file for variables, made from the template if it isn't there. */
static RamBlock *open_variables(GuestMemory *memory, const char *path, const char *template,
                                int *ret_fd, GError **error)
{
    g_autofree char *contents = NULL;
    gsize size = 0;

    if (!g_file_test(path, G_FILE_TEST_EXISTS) &&
        (!g_file_get_contents(template, &contents, &size, error) ||
         !g_file_set_contents_full(path, contents, (gssize)size, G_FILE_SET_CONTENTS_DURABLE, 0600,
                                   error))) {
        return NULL;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        set_error_errno(error, errno, "cannot open the file of UEFI variables '%s'", path);
        return NULL;
    }
    RamBlock *block = read_block(memory, "uefi-variables", fd, path, error);
    if (!block) {
        close(fd);
        return NULL;
    }
    *ret_fd = fd;
    return block;
}

static const Kind *find_kind(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!strcmp(kinds[i].name, name)) {
            return &kinds[i];
        }
    }
    return NULL;
}

static bool check_code(const RamBlock *code, const char *path, GError **error)
{
    if (code->size < SMALLEST) {
        set_error(error, "cannot use firmware '%s': it has less than 128 KiB", path);
        return false;
    }
    return true;
}

bool firmware_read(GuestMemory *memory, const MachineConfig *config, Firmware *ret, GError **error)
{
    const char *name = config->firmware;

    *ret = (Firmware){ .variables_fd = -1 };
    if (!strcmp(name, "none")) {
        return true;
    }
    const Kind *kind = find_kind(name);
    g_autofree char *path = kind ? find_first(kind->code) : g_strdup(name);
    if (!path) {
        set_error(error, "firmware '%s' is not installed: install the package '%s'", name,
                  kind->package);
        return false;
    }
    ret->code = open_block(memory, "firmware", path, error);
    if (!ret->code || !check_code(ret->code, path, error)) {
        return false;
    }
    g_autofree char *template = kind ? find_first(kind->variables) : NULL;
    if (config->firmware_variables) {
        ret->variables =
            open_variables(memory, config->firmware_variables, template, &ret->variables_fd, error);
        return ret->variables != NULL;
    }
    if (template) {
        ret->variables = open_block(memory, "uefi-variables", template, error);
        return ret->variables != NULL;
    }
    return true;
}
