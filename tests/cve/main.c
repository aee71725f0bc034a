/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pack of known flaws, see cve.h.
 */
#include "cve.h"

void cve_add(const char *number, const char *what, gconstpointer data, GTestDataFunc fn)
{
    g_autofree char *path = g_strdup_printf("/cve/%s/%s", number, what);

    g_test_add_data_func(path, data, fn);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    cve_add_pc();
    cve_add_sata();
    cve_add_images();
    cve_add_virtio();
    cve_add_network();
    cve_add_vnc();
    cve_add_debugger();
    cve_add_apic();
    cve_add_user_net();
    return g_test_run();
}
