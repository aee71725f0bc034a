/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insula doctor: programs, folders, packages and the daemon, see doctor.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/setup.h"
#include "cli/sheet.h"
#include "common/place.h"
#include "common/program.h"

enum { ROOM_LOW_GIB = 4 };

/* ---- programs ---- */

static void look_at_programs(const CliArgs *args, Finding *finding)
{
    static const struct {
        const char *program, *folder;
    } ours[] = {
        { "insula-vm", "vm" },
        { "insula-net", "net" },
        { "insula-disk", "disk" },
        { "insulad", "manager" },
    };
    g_autoptr(GString) missing = g_string_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(ours); i++) {
        g_autofree char *path = program_find(ours[i].program, ours[i].folder);
        if (!path) {
            g_string_append_printf(missing, "%s%s", missing->len ? ", " : "", ours[i].program);
        }
    }
    if (missing->len) {
        finding_set(finding, FINDING_FAIL, "install it again, whole",
                    "not beside program insula: %s", missing->str);
    } else {
        finding_set(finding, FINDING_OK, NULL, "all of " INSULA_VERSION " are beside insula");
    }
}

/* Name those of @programs that are not installed, and the packages that hold them. */
static char *missing_programs(const char *const (*programs)[2], unsigned n, char **ret_packages)
{
    GString *names = g_string_new(NULL), *packages = g_string_new(NULL);

    for (unsigned i = 0; i < n; i++) {
        g_autofree char *path = g_find_program_in_path(programs[i][0]);
        if (!path) {
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", programs[i][0]);
            g_string_append_printf(packages, " %s", programs[i][1]);
        }
    }
    *ret_packages = g_string_free(packages, FALSE);
    return g_string_free(names, FALSE);
}

static void look_at_builder(const CliArgs *args, Finding *finding)
{
    static const char *const programs[][2] = {
        { "ssh", "openssh-client" },
        { "curl", "curl" },
    };
    g_autofree char *packages = NULL;
    g_autofree char *names = missing_programs(programs, G_N_ELEMENTS(programs), &packages);
    g_autofree char *remedy = g_strdup_printf("as root: apt-get install%s", packages);

    if (*names) {
        finding_set(finding, FINDING_WARN, remedy, "insula launch and insula ssh lack %s", names);
    } else {
        finding_set(finding, FINDING_OK, NULL,
                    "all is there to fetch images and to come in by ssh");
    }
}

/* ---- firmware ---- */

static void look_at_firmware(const CliArgs *args, Finding *finding)
{
    static const struct {
        const char *name, *package;
        const char *paths[4];
    } kinds[] = {
        { "BIOS",
          "seabios",
          { "/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/bios-256k.bin" } },
        { "UEFI",
          "ovmf",
          { "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd",
            "/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/ovmf/OVMF_CODE.fd" } },
    };
    g_autoptr(GString) missing = g_string_new(NULL);
    g_autoptr(GString) remedy = g_string_new("as root: apt-get install");

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        bool found = g_getenv("INSULA_FIRMWARE");
        for (unsigned j = 0; j < G_N_ELEMENTS(kinds[i].paths) && kinds[i].paths[j]; j++) {
            found = found || !access(kinds[i].paths[j], R_OK);
        }
        if (!found) {
            g_string_append_printf(missing, "%s%s", missing->len ? " and " : "", kinds[i].name);
            g_string_append_printf(remedy, " %s", kinds[i].package);
        }
    }
    if (missing->len) {
        finding_set(finding, FINDING_FAIL, remedy->str,
                    "no %s: machines can't start from their disks by it", missing->str);
    } else {
        finding_set(finding, FINDING_OK, NULL, "BIOS and UEFI are there");
    }
}

/* ---- folders ---- */

static void look_at_runtime(const CliArgs *args, Finding *finding)
{
    const char *folder = g_getenv("XDG_RUNTIME_DIR");
    struct stat info;

    if (geteuid() == 0) {
        finding_set(finding, FINDING_OK, NULL, "root's is /run/insula");
    } else if (!folder) {
        g_autofree char *instead = place_folder(PLACE_RUN, false);
        finding_set(finding, FINDING_WARN, "log in by a session of its own (not by su or sudo)",
                    "XDG_RUNTIME_DIR is not set: sockets come to '%s'", instead);
    } else if (stat(folder, &info)) {
        finding_set(finding, FINDING_FAIL, "set XDG_RUNTIME_DIR to a folder of yours",
                    "cannot use XDG_RUNTIME_DIR '%s': %s", folder, g_strerror(errno));
    } else if (info.st_uid != geteuid() || (info.st_mode & 077)) {
        finding_set(finding, FINDING_FAIL, "set XDG_RUNTIME_DIR to a folder that is yours alone",
                    "XDG_RUNTIME_DIR '%s' is open to others", folder);
    } else {
        finding_set(finding, FINDING_OK, NULL, "sockets come to '%s'", folder);
    }
}

/* @folder or, if it isn't there yet, what is above it. */
static char *nearest(const char *folder)
{
    char *path = g_strdup(folder);

    while (access(path, F_OK) && strcmp(path, "/") != 0) {
        char *above = g_path_get_dirname(path);
        g_free(path);
        path = above;
    }
    return path;
}

static void look_at_folders(const CliArgs *args, Finding *finding)
{
    static const PlaceKind kinds[] = { PLACE_CONFIG, PLACE_DATA, PLACE_STATE, PLACE_CACHE };

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *folder = place_folder(kinds[i], geteuid() == 0);
        g_autofree char *there = nearest(folder);
        if (access(there, W_OK | X_OK)) {
            finding_set(finding, FINDING_FAIL, "make it this user's, or set HOME and XDG_*_HOME",
                        "cannot write to '%s': %s", there, g_strerror(errno));
            return;
        }
    }
    finding_set(finding, FINDING_OK, NULL, "definitions, disks, logs and images have their places");
}

static void look_at_room(const CliArgs *args, Finding *finding)
{
    g_autofree char *folder = place_folder(PLACE_DATA, geteuid() == 0);
    g_autofree char *there = nearest(folder);
    struct statvfs info;

    if (statvfs(there, &info)) {
        finding_set(finding, FINDING_WARN, NULL, "cannot tell how much room '%s' has: %s", there,
                    g_strerror(errno));
        return;
    }
    uint64_t bytes = (uint64_t)info.f_bavail * info.f_frsize;
    g_autofree char *size = sheet_bytes_text(bytes);
    bool low = bytes < (uint64_t)ROOM_LOW_GIB << 30;
    finding_set(finding, low ? FINDING_WARN : FINDING_OK,
                low ? "make room, or set XDG_DATA_HOME to a larger file system" : NULL,
                "%s of room for disks in '%s'", size, folder);
}

/* ---- the daemon ---- */

/* 0, or an errno. */
static int try_socket(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path)) {
        return fd < 0 ? errno : ENAMETOOLONG;
    }
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    int why = connect(fd, (struct sockaddr *)&address, sizeof(address)) ? errno : 0;
    close(fd);
    return why;
}

static void look_at_daemon(const CliArgs *args, Finding *finding)
{
    g_autofree char *path = place_socket(geteuid() == 0, false);
    int why = try_socket(path);

    if (!why) {
        finding_set(finding, FINDING_OK, NULL, "insulad answers at '%s'", path);
    } else if (why == ENOENT || why == ECONNREFUSED) {
        finding_set(finding, FINDING_OK, NULL,
                    "insulad is not running; the first command that "
                    "needs it starts it");
    } else {
        finding_set(finding, FINDING_FAIL,
                    why == ENAMETOOLONG ? "set XDG_RUNTIME_DIR to a shorter path" : NULL,
                    "cannot reach insulad at '%s': %s", path, g_strerror(why));
    }
}

static void look_at_libvirt(const CliArgs *args, Finding *finding)
{
    switch (setup_state()) {
    case SETUP_OURS:
        finding_set(finding, FINDING_OK, NULL, "libvirt's clients find insulad by themselves");
        break;
    case SETUP_OTHERS:
        finding_set(finding, FINDING_OK, NULL,
                    "a libvirt of its own is here; its clients reach insulad by "
                    "qemu:///session?socket=...");
        break;
    case SETUP_NONE:
        finding_set(finding, FINDING_OK, NULL,
                    "virsh and virt-manager find insulad after: insula setup libvirt");
        break;
    }
}

const DoctorCheck doctor_files_checks[] = {
    { "programs", "Insula is whole", look_at_programs },
    { "firmware", "machines start from their disks", look_at_firmware },
    { "sockets", "clients find the daemon", look_at_runtime },
    { "folders", "definitions and disks can be kept", look_at_folders },
    { "room", "room for disks", look_at_room },
    { "images", "insula launch and insula ssh work", look_at_builder },
    { "daemon", "machines are managed", look_at_daemon },
    { "libvirt", "virsh, virt-manager and others work with it", look_at_libvirt },
    { 0 },
};
