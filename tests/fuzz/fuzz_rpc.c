/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: RPC messages and what is in them, for every procedure.
 *
 * Input: bytes as they come from a socket.  Each message that they hold is decoded as the arguments
 * and as the reply of its procedure; so that not only the right numbers get that far, the
 * procedure is taken modulo what there are.  What can be decoded must come out the same once more.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/limits.h"
#include "wire/remote.h"
#include "wire/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_type(const XdrType *type, const uint8_t *bytes, size_t len)
{
    g_autofree uint8_t *value = type ? g_malloc0(type->size) : NULL;
    g_autofree uint8_t *again = type ? g_malloc0(type->size) : NULL;
    g_autoptr(GByteArray) once = g_byte_array_new();
    g_autoptr(GByteArray) twice = g_byte_array_new();

    if (!type || !xdr_decode(bytes, len, type, value, NULL)) {
        return;
    }
    xdr_encode(once, type, value);
    if (!xdr_decode(once->data, once->len, type, again, NULL)) {
        abort();
    }
    xdr_encode(twice, type, again);
    if (once->len != twice->len || memcmp(once->data, twice->data, once->len) != 0) {
        abort();
    }
    xdr_clear(type, value);
    xdr_clear(type, again);
}

static void try_message(const RpcPacket *packet)
{
    g_autoptr(GError) error = NULL;
    size_t len;
    const uint8_t *payload = rpc_payload(packet, &len);
    const RemoteProcedure *procedure =
        &remote_procedures[packet->header.procedure % remote_n_procedures];

    try_type(procedure->args, payload, len);
    try_type(procedure->ret, payload, len);
    try_type(remote_events[packet->header.serial % remote_n_events].type, payload, len);
    remote_error_decode(payload, len, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RpcReader reader;
    RpcPacket *packet;

    if (size > 1 << 16) {
        return 0;
    }
    if (size > 2) { /* without a header, too: noise seldom makes one */
        const unsigned row = ((unsigned)data[0] << 8 | data[1]) % remote_n_procedures;
        try_type(remote_procedures[row].args, data + 2, size - 2);
        try_type(remote_procedures[row].ret, data + 2, size - 2);
    }
    rpc_reader_init(&reader, WIRE_MESSAGE_MAX);
    /* in two pieces, as a socket may have it */
    const size_t first = size ? data[size - 1] % size : 0;
    for (unsigned piece = 0; piece < 2; piece++) {
        g_autoptr(GError) error = NULL;
        g_byte_array_append(reader.bytes, piece ? data + first : data,
                            (guint)(piece ? size - first : first));
        while ((packet = rpc_reader_next(&reader, &error))) {
            try_message(packet);
            rpc_packet_free(packet);
        }
        if (error) {
            break;
        }
    }
    rpc_reader_clear(&reader);
    return 0;
}
