/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * insula launch: from the name of an image to a shell in a new machine.
 *
 * A machine has a folder of its own, launch/NAME of the data folder: a disk that begins as the
 * image, and the seed that its first start reads.  It runs in this terminal, as by insula run;
 * launching it again by its name starts it again.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/image.h"
#include "cli/output.h"
#include "cli/seed.h"
#include "common/place.h"
#include "common/program.h"

static const char ssh_files[][20] = { "id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub" };

typedef struct Launch {
    char *name, *folder, *disk, *seed;
    const char *user, *hostname;
    char *keys; /* what is let in by ssh, a line each; may be "" */
} Launch;

static void launch_clear(Launch *launch)
{
    g_free(launch->name);
    g_free(launch->folder);
    g_free(launch->disk);
    g_free(launch->seed);
    g_free(launch->keys);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Launch, launch_clear)

/* Letters, digits, minus: it becomes a folder, and a host's name. */
static bool check_word(const char *what, const char *word, GError **error)
{
    size_t length = strlen(word);
    bool good = length && length < 64 && word[0] != '-';

    for (const char *p = word; *p; p++) {
        good = good && (g_ascii_isalnum(*p) || *p == '-' || (*p == '_' && p > word));
    }
    if (!good) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "%s '%s' must be letters, digits and minus signs, at most 63", what, word);
    }
    return good;
}

/* The keys of --ssh-key, or those that this person has. */
static char *read_keys(const CliArgs *args, GError **error)
{
    GString *keys = g_string_new(NULL);

    for (unsigned i = 0; args->ssh_keys && i < args->ssh_keys->len; i++) {
        g_autofree char *text = NULL;
        if (!g_file_get_contents(args->ssh_keys->pdata[i], &text, NULL, error)) {
            g_string_free(keys, TRUE);
            return NULL;
        }
        g_string_append_printf(keys, "%s\n", g_strchomp(text));
    }
    for (unsigned i = 0; !args->ssh_keys && i < G_N_ELEMENTS(ssh_files); i++) {
        g_autofree char *path = g_build_filename(g_get_home_dir(), ".ssh", ssh_files[i], NULL);
        g_autofree char *text = NULL;
        if (g_file_get_contents(path, &text, NULL, NULL)) {
            g_string_append_printf(keys, "%s\n", g_strchomp(text));
        }
    }
    return g_string_free(keys, FALSE);
}

/* What cloud-init reads. */
static char *user_data(const Launch *launch)
{
    GString *text = g_string_new("#cloud-config\nusers:\n");
    g_auto(GStrv) keys = g_strsplit(launch->keys, "\n", 0);

    g_string_append_printf(text,
                           "  - name: %s\n    sudo: ALL=(ALL) NOPASSWD:ALL\n"
                           "    shell: /bin/bash\n    ssh_authorized_keys:\n",
                           launch->user);
    for (char **key = keys; *key; key++) {
        if (**key) {
            g_autofree char *quoted = g_strescape(*key, NULL);
            g_string_append_printf(text, "      - \"%s\"\n", quoted);
        }
    }
    return g_string_free(text, FALSE);
}

static bool write_seed(const Launch *launch, GError **error)
{
    g_autofree char *meta =
        g_strdup_printf("instance-id: %s\nlocal-hostname: %s\n", launch->name, launch->hostname);
    g_autofree char *user = user_data(launch);
    g_autofree char *ours =
        g_strdup_printf("hostname=%s\nuser=%s\n", launch->hostname, launch->user);
    const SeedFile files[] = {
        { "meta-data", meta },
        { "user-data", user },
        { "insula.seed", ours },
        { "authorized_keys", launch->keys },
        { 0 },
    };
    g_autoptr(GByteArray) image = seed_new(files, error);

    return image &&
           g_file_set_contents(launch->seed, (const char *)image->data, (gssize)image->len, error);
}

/* A disk that begins as @image, which is only read. */
static bool make_disk(const CliArgs *args, const Launch *launch, const Image *image, GError **error)
{
    g_autofree char *program = program_find("insula-disk", "disk");
    const char *argv[] = {
        program,       "create",    "--quiet",    "--format",
        "qcow2",       "--backing", image->path,  "--backing-format",
        image->format, "--",        launch->disk, args->disk_size ? args->disk_size : "10G",
        NULL
    };
    int status = 0;

    if (!program) {
        set_error_code(error, INSULA_ERROR_HOST, "cannot find program insula-disk beside insula");
        return false;
    }
    return g_spawn_sync(NULL, (char **)(uintptr_t)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL,
                        NULL, &status, error) &&
           g_spawn_check_wait_status(status, error);
}

/* A port of this host that nobody uses now; 0: there is none. */
static unsigned free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof(address)) &&
                !getsockname(fd, (struct sockaddr *)&address, &length);

    if (fd >= 0) {
        close(fd);
    }
    return good ? ntohs(address.sin_port) : 0;
}

/* Becomes insula-vm; returns only if it can't. */
static int become_machine(const CliArgs *args, const Launch *launch, GError **error)
{
    g_autofree char *program = program_find("insula-vm", "vm");
    g_autofree char *port = g_strdup_printf("127.0.0.1:%u:22", free_port());
    g_autofree char *seed = g_strdup_printf("%s,format=raw,readonly=on", launch->seed);
    g_autofree char *disk = g_strdup_printf("%s,format=qcow2", launch->disk);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    const char *const words[] = { "insula launch",
                                  "--name",
                                  launch->name,
                                  "--disk",
                                  disk,
                                  "--disk",
                                  seed,
                                  "--memory",
                                  args->memory ? args->memory : "1G",
                                  "--cpus",
                                  args->cpus ? args->cpus : "1",
                                  "--forward",
                                  port };

    if (!program) {
        set_error_code(error, INSULA_ERROR_HOST, "cannot find program insula-vm beside insula");
        return CLI_HOST;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        g_ptr_array_add(argv, (char *)(uintptr_t)words[i]);
    }
    for (unsigned i = 0; args->ports && i < args->ports->len; i++) {
        g_ptr_array_add(argv, (char *)(uintptr_t) "--forward");
        g_ptr_array_add(argv, args->ports->pdata[i]);
    }
    g_ptr_array_add(argv, NULL);
    output_note(args, "machine '%s' starts; poweroff ends it, Ctrl-A then x does from outside",
                launch->name);
    if (*launch->keys) {
        output_note(args, "by ssh: ssh -p %.*s %s@127.0.0.1", (int)strcspn(port + 10, ":"),
                    port + 10, launch->user);
    }
    execv(program, (char **)argv->pdata);
    set_error_errno(error, errno, "cannot run '%s'", program);
    return CLI_FAILED;
}

static bool prepare(const CliArgs *args, const Image *image, Launch *launch, GError **error)
{
    g_autofree char *data = place_folder(PLACE_DATA, geteuid() == 0);

    launch->name = g_strdup(args->name ? args->name : image->name);
    launch->user = args->user ? args->user : image->user;
    launch->hostname = args->hostname ? args->hostname : launch->name;
    if (!check_word("name", launch->name, error) || !check_word("user", launch->user, error) ||
        !check_word("host name", launch->hostname, error)) {
        return false;
    }
    launch->keys = read_keys(args, error);
    launch->folder = g_build_filename(data, "launch", launch->name, NULL);
    launch->disk = g_build_filename(launch->folder, "disk.qcow2", NULL);
    launch->seed = g_build_filename(launch->folder, "seed.img", NULL);
    return launch->keys && place_make(launch->folder, error);
}

int command_launch(const CliArgs *args, GError **error)
{
    g_auto(Image) image = { 0 };
    g_auto(Launch) launch = { 0 };

    if (!image_get(args, args->operands[0], &image, error) ||
        !prepare(args, &image, &launch, error)) {
        return CLI_FAILED;
    }
    if (!g_file_test(launch.disk, G_FILE_TEST_EXISTS) &&
        (!write_seed(&launch, error) || !make_disk(args, &launch, &image, error))) {
        return CLI_FAILED;
    }
    return become_machine(args, &launch, error);
}
