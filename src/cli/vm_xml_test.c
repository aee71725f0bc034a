/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of what commands read of a machine's XML.
 */
#include "cli/vm_xml.h"

static const char whole[] =
    "<domain type='kvm'><name>x</name><os><type arch='x86_64' machine='pc-1'>hvm</type></os>"
    "<devices>"
    "<disk type='file' device='disk'><source file='/d/a.qcow2'/><target dev='vda'/></disk>"
    "<disk type='file' device='disk'><source file='/d/ro'/><readonly/></disk>"
    "<disk type='file' device='cdrom'><source file='/d/cd.iso'/></disk>"
    "<disk type='file' device='cdrom'/>"
    "<interface type='user'><portForward proto='tcp'><range start='8022' to='22'/></portForward>"
    "<portForward proto='udp'><range start='53'/></portForward></interface>"
    "<interface type='network'><source network='default'/></interface>"
    "<graphics type='vnc' port='5901' listen='127.0.0.1'/>"
    "</devices></domain>";

static void parts_are_found(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VmXml) xml = vm_xml_parse(whole, &error);

    g_assert_no_error(error);
    g_autofree char *disks = g_strjoinv(" ", (char **)xml->disks->pdata);
    g_autofree char *writable = g_strjoinv(" ", (char **)xml->writable->pdata);
    g_autofree char *networks = g_strjoinv(",", (char **)xml->networks->pdata);
    g_assert_cmpstr(disks, ==, "/d/a.qcow2 /d/ro /d/cd.iso");
    g_assert_cmpstr(writable, ==, "/d/a.qcow2");
    g_assert_cmpstr(networks, ==, "user,network default");
    g_assert_cmpstr(xml->machine, ==, "pc-1");
    g_assert_cmpstr(xml->screen, ==, "vnc 127.0.0.1:5901");
    g_assert_cmpuint(xml->ports->len, ==, 2);
    VmPort tcp = g_array_index(xml->ports, VmPort, 0), udp = g_array_index(xml->ports, VmPort, 1);
    g_assert_true(!tcp.udp && tcp.host == 8022 && tcp.guest == 22);
    g_assert_true(udp.udp && udp.host == 53 && udp.guest == 53);
}

static void little_is_enough(void)
{
    g_autoptr(VmXml) xml = vm_xml_parse("<domain/>", NULL);

    g_assert_cmpuint(xml->disks->len, ==, 0);
    g_assert_null(((char **)xml->disks->pdata)[0]);
    g_assert_null(xml->machine);
}

static void what_is_no_xml_is_refused(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(vm_xml_parse("<domain><disk>", &error));
    g_assert_true(g_str_has_prefix(error->message, "cannot read the machine's XML: "));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vm_xml/parts are found", parts_are_found);
    g_test_add_func("/vm_xml/little is enough", little_is_enough);
    g_test_add_func("/vm_xml/what is no XML is refused", what_is_no_xml_is_refused);
    return g_test_run();
}
