/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What machines stand on: insula pool and insula network.
 */
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/output.h"
#include "cli/sheet.h"

static bool pool_volumes(InsulaConnection *connection, const char *name, const CliArgs *args,
                         GError **error)
{
    static const SheetColumn columns[] = {
        { "name", "Name", SHEET_TEXT },
        { "capacity", "Size", SHEET_BYTES },
        { "allocation", "Takes", SHEET_BYTES },
        { "path", "Path", SHEET_TEXT },
        { 0 },
    };
    g_autoptr(Sheet) sheet = sheet_new(columns);
    RemoteStoragePoolLookupByNameArgs call = { .name = (char *)(uintptr_t)name };
    g_auto(RemoteStoragePoolLookupByNameRet) found = { 0 };
    g_auto(RemoteStoragePoolListAllVolumesRet) all = { 0 };

    if (!insula_storage_pool_lookup_by_name(connection, &call, &found, error)) {
        return false;
    }
    RemoteStoragePoolListAllVolumesArgs list = { .pool = found.pool, .need_results = 1 };
    if (!insula_storage_pool_list_all_volumes(connection, &list, &all, error)) {
        return false;
    }
    for (unsigned i = 0; i < all.n_vols; i++) {
        RemoteStorageVolGetInfoArgs of_info = { .vol = all.vols[i] };
        g_auto(RemoteStorageVolGetInfoRet) info = { 0 };
        if (!insula_storage_vol_get_info(connection, &of_info, &info, error)) {
            return false;
        }
        sheet_row(sheet);
        sheet_text(sheet, all.vols[i].name);
        sheet_number(sheet, (int64_t)info.capacity);
        sheet_number(sheet, (int64_t)info.allocation);
        sheet_text(sheet, all.vols[i].key);
    }
    return sheet_print(sheet, args->json, false, error);
}

static bool pools(InsulaConnection *connection, const CliArgs *args, GError **error)
{
    static const SheetColumn columns[] = {
        { "name", "Name", SHEET_TEXT },       { "active", "Active", SHEET_FLAG },
        { "capacity", "Size", SHEET_BYTES },  { "allocation", "Used", SHEET_BYTES },
        { "available", "Free", SHEET_BYTES }, { 0 },
    };
    g_autoptr(Sheet) sheet = sheet_new(columns);
    RemoteConnectListAllStoragePoolsArgs call = { .need_results = 1 };
    g_auto(RemoteConnectListAllStoragePoolsRet) all = { 0 };

    if (!insula_connect_list_all_storage_pools(connection, &call, &all, error)) {
        return false;
    }
    for (unsigned i = 0; i < all.n_pools; i++) {
        RemoteStoragePoolGetInfoArgs of_info = { .pool = all.pools[i] };
        g_auto(RemoteStoragePoolGetInfoRet) info = { 0 };
        if (!insula_storage_pool_get_info(connection, &of_info, &info, error)) {
            return false;
        }
        sheet_row(sheet);
        sheet_text(sheet, all.pools[i].name);
        sheet_flag(sheet, info.state == 2);
        sheet_number(sheet, (int64_t)info.capacity);
        sheet_number(sheet, (int64_t)info.allocation);
        sheet_number(sheet, (int64_t)info.available);
    }
    return sheet_print(sheet, args->json, false, error);
}

int command_pool(const CliArgs *args, GError **error)
{
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);

    if (!connection) {
        return CLI_FAILED;
    }
    return (args->operands[0] ? pool_volumes(connection, args->operands[0], args, error)
                              : pools(connection, args, error))
               ? CLI_DONE
               : CLI_FAILED;
}

/* ---- networks ---- */

static bool leases(InsulaConnection *connection, const char *name, const CliArgs *args,
                   GError **error)
{
    static const SheetColumn columns[] = {
        { "address", "Address", SHEET_TEXT },
        { "mac", "MAC", SHEET_TEXT },
        { "hostname", "Host", SHEET_TEXT },
        { 0 },
    };
    g_autoptr(Sheet) sheet = sheet_new(columns);
    RemoteNetworkLookupByNameArgs call = { .name = (char *)(uintptr_t)name };
    g_auto(RemoteNetworkLookupByNameRet) found = { 0 };
    g_auto(RemoteNetworkGetDhcpLeasesRet) all = { 0 };

    if (!insula_network_lookup_by_name(connection, &call, &found, error)) {
        return false;
    }
    RemoteNetworkGetDhcpLeasesArgs list = { .net = found.net, .need_results = 1 };
    if (!insula_network_get_dhcp_leases(connection, &list, &all, error)) {
        return false;
    }
    for (unsigned i = 0; i < all.n_leases; i++) {
        sheet_row(sheet);
        sheet_text(sheet, all.leases[i].ipaddr);
        sheet_text(sheet, all.leases[i].mac);
        sheet_text(sheet, all.leases[i].hostname);
    }
    return sheet_print(sheet, args->json, false, error);
}

static bool networks(InsulaConnection *connection, const CliArgs *args, GError **error)
{
    static const SheetColumn columns[] = {
        { "name", "Name", SHEET_TEXT },
        { "active", "Active", SHEET_FLAG },
        { "autostart", "Starts by itself", SHEET_FLAG },
        { 0 },
    };
    g_autoptr(Sheet) sheet = sheet_new(columns);
    RemoteConnectListAllNetworksArgs call = { .need_results = 1 };
    g_auto(RemoteConnectListAllNetworksRet) all = { 0 };

    if (!insula_connect_list_all_networks(connection, &call, &all, error)) {
        return false;
    }
    for (unsigned i = 0; i < all.n_nets; i++) {
        RemoteNetworkIsActiveArgs of_active = { .net = all.nets[i] };
        RemoteNetworkGetAutostartArgs of_autostart = { .net = all.nets[i] };
        g_auto(RemoteNetworkIsActiveRet) active = { 0 };
        g_auto(RemoteNetworkGetAutostartRet) autostart = { 0 };
        if (!insula_network_is_active(connection, &of_active, &active, error) ||
            !insula_network_get_autostart(connection, &of_autostart, &autostart, error)) {
            return false;
        }
        sheet_row(sheet);
        sheet_text(sheet, all.nets[i].name);
        sheet_flag(sheet, active.active);
        sheet_flag(sheet, autostart.autostart);
    }
    return sheet_print(sheet, args->json, false, error);
}

int command_network(const CliArgs *args, GError **error)
{
    g_autoptr(InsulaConnection) connection = daemon_open(args, 0, error);

    if (!connection) {
        return CLI_FAILED;
    }
    return (args->operands[0] ? leases(connection, args->operands[0], args, error)
                              : networks(connection, args, error))
               ? CLI_DONE
               : CLI_FAILED;
}
