/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insula setup libvirt, see setup.h.
 */
#include "cli/setup.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "common/place.h"

typedef struct SetupLink {
    const char *name;
    bool read_only;
    bool root; /* root's alone */
} SetupLink;

/* libvirt's own clients try the first, then the second; other libraries know only the second. */
static const SetupLink links[] = {
    { "virtqemud-sock", false, false },
    { "libvirt-sock", false, false },
    { "virtqemud-sock-ro", true, true },
    { "libvirt-sock-ro", true, true },
};

static const char tmpfiles_mark[] = "# made by insula setup libvirt; insula setup libvirt --undo "
                                    "removes it\n";

static bool is_root(void)
{
    return geteuid() == 0;
}

/* Where clients look.  Newly allocated. */
static char *libvirt_folder(void)
{
    if (is_root()) {
        return g_strdup("/run/libvirt");
    }
    g_autofree char *ours = place_folder(PLACE_RUN, false);
    g_autofree char *above = g_path_get_dirname(ours);
    return g_build_filename(above, "libvirt", NULL);
}

static char *tmpfiles_path(void)
{
    if (is_root()) {
        return g_strdup("/etc/tmpfiles.d/insula-libvirt.conf");
    }
    return g_build_filename(g_get_user_config_dir(), "user-tmpfiles.d", "insula-libvirt.conf",
                            NULL);
}

static bool is_wanted(const SetupLink *link)
{
    return is_root() || !link->root;
}

/* What stands at @path: nothing, our link to @target, or something else. */
static SetupState state_of(const char *path, const char *target)
{
    struct stat info;
    g_autofree char *now = g_file_read_link(path, NULL);

    if (now) {
        return strcmp(now, target) ? SETUP_OTHERS : SETUP_OURS;
    }
    return lstat(path, &info) ? SETUP_NONE : SETUP_OTHERS;
}

SetupState setup_state(void)
{
    g_autofree char *folder = libvirt_folder();
    SetupState state = SETUP_NONE;

    for (unsigned i = 0; i < G_N_ELEMENTS(links); i++) {
        g_autofree char *path = g_build_filename(folder, links[i].name, NULL);
        g_autofree char *target = place_socket(is_root(), links[i].read_only);
        if (is_wanted(&links[i])) {
            state = MAX(state, state_of(path, target));
        }
    }
    return state;
}

static bool put_link(const char *path, const char *target, GError **error)
{
    switch (state_of(path, target)) {
    case SETUP_OURS:
        return true;
    case SETUP_OTHERS:
        set_error_code(
            error, INSULA_ERROR_HOST,
            "'%s' is there and not ours; a libvirt seems to be in use: end it and remove "
            "its socket, or give clients the URI qemu:///session?socket=%s",
            path, target);
        return false;
    case SETUP_NONE:
        break;
    }
    if (symlink(target, path)) {
        set_error_errno(error, errno, "cannot make link '%s'", path);
        return false;
    }
    return true;
}

static bool take_link(const char *path, const char *target, GError **error)
{
    if (state_of(path, target) == SETUP_OURS && unlink(path)) {
        set_error_errno(error, errno, "cannot remove link '%s'", path);
        return false;
    }
    return true;
}

/* All links, put or (@undo) taken away. */
static bool all_links(const char *folder, bool undo, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(links); i++) {
        g_autofree char *path = g_build_filename(folder, links[i].name, NULL);
        g_autofree char *target = place_socket(is_root(), links[i].read_only);
        bool (*act)(const char *, const char *, GError **) = undo ? take_link : put_link;
        if (is_wanted(&links[i]) && !act(path, target, error)) {
            return false;
        }
    }
    return true;
}

/* For the next start of the host, or of the user's session. */
static bool write_tmpfiles(const char *folder, GError **error)
{
    g_autofree char *path = tmpfiles_path();
    g_autofree char *above = g_path_get_dirname(path);
    g_autoptr(GString) text = g_string_new(tmpfiles_mark);

    g_string_append_printf(text, "d %s %s\n", folder, is_root() ? "0755" : "0700");
    for (unsigned i = 0; i < G_N_ELEMENTS(links); i++) {
        g_autofree char *target = place_socket(is_root(), links[i].read_only);
        if (is_wanted(&links[i])) {
            g_string_append_printf(text, "L %s/%s - - - - %s\n", folder, links[i].name, target);
        }
    }
    if (g_mkdir_with_parents(above, 0755)) {
        set_error_errno(error, errno, "cannot make folder '%s'", above);
        return false;
    }
    g_autoptr(GError) why = NULL;
    if (!g_file_set_contents(path, text->str, (gssize)text->len, &why)) {
        set_error(error, "cannot write '%s': %s", path, why->message);
        return false;
    }
    return true;
}

static bool remove_tmpfiles(GError **error)
{
    g_autofree char *path = tmpfiles_path();
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL) || !g_str_has_prefix(text, tmpfiles_mark)) {
        return true;
    }
    if (unlink(path)) {
        set_error_errno(error, errno, "cannot remove '%s'", path);
        return false;
    }
    return true;
}

static bool undo(const char *folder, GError **error)
{
    if (!all_links(folder, true, error) || !remove_tmpfiles(error)) {
        return false;
    }
    rmdir(folder); /* stays if anything else is in it */
    return true;
}

static bool set_up(const char *folder, GError **error)
{
    if (g_mkdir_with_parents(folder, is_root() ? 0755 : 0700)) {
        set_error_errno(error, errno, "cannot make folder '%s'", folder);
        return false;
    }
    if (!all_links(folder, false, error)) {
        all_links(folder, true, NULL);
        rmdir(folder);
        return false;
    }
    return write_tmpfiles(folder, error);
}

int command_setup(const CliArgs *args, GError **error)
{
    g_autofree char *folder = libvirt_folder();

    if (strcmp(args->operands[0], "libvirt") != 0) {
        set_error_code(error, INSULA_ERROR_USAGE, "cannot set up '%s'; what there is: libvirt",
                       args->operands[0]);
        return CLI_USAGE;
    }
    if (args->undo ? !undo(folder, error) : !set_up(folder, error)) {
        return CLI_FAILED;
    }
    if (!args->undo) {
        output_note(args, "libvirt's clients now find Insula by qemu:///%s",
                    is_root() ? "system" : "session");
    }
    return output_done(args, args->undo ? "taken away" : "set up", "libvirt", error) ? CLI_DONE
                                                                                     : CLI_FAILED;
}
