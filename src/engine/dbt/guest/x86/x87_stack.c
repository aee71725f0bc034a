/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an x86-64 host's x87 does for the guest's, while all exceptions are masked: the very
 * instruction, as the number of the helper has its opcode.
 *
 * Without an entry are what changes more than the stack and its status (FNINIT), and packed BCD.
 * FCMOVcc becomes FCMOVNE, as the condition is a number by then.
 *
 * Threads: none; constants only.
 */
#include "engine/dbt/guest/x86/x87.h"

enum { FCMOVNE = 0xdb, FCMOVNE_REG = 0xc8 };

static const uint8_t register_forms[X87_OPS] = {
    [X87_ADD] = STACK_PLAIN,      [X87_MUL] = STACK_PLAIN,     [X87_SUB] = STACK_PLAIN,
    [X87_SUBR] = STACK_PLAIN,     [X87_DIV] = STACK_PLAIN,     [X87_DIVR] = STACK_PLAIN,
    [X87_COM] = STACK_PLAIN,      [X87_UCOM] = STACK_PLAIN,    [X87_COMI] = STACK_FLAGS,
    [X87_UCOMI] = STACK_FLAGS,    [X87_LD] = STACK_PLAIN,      [X87_ST] = STACK_PLAIN,
    [X87_STU] = STACK_PLAIN,      [X87_XCH] = STACK_PLAIN,     [X87_CMOV] = STACK_MOVE_IF,
    [X87_FREE] = STACK_PLAIN,     [X87_NOP] = STACK_PLAIN,     [X87_CHS] = STACK_PLAIN,
    [X87_ABS] = STACK_PLAIN,      [X87_TST] = STACK_PLAIN,     [X87_XAM] = STACK_PLAIN,
    [X87_CONSTANT] = STACK_PLAIN, [X87_SQRT] = STACK_PLAIN,    [X87_RNDINT] = STACK_PLAIN,
    [X87_SCALE] = STACK_PLAIN,    [X87_XTRACT] = STACK_PLAIN,  [X87_PREM] = STACK_PLAIN,
    [X87_PREM1] = STACK_PLAIN,    [X87_INCSTP] = STACK_PLAIN,  [X87_DECSTP] = STACK_PLAIN,
    [X87_F2XM1] = STACK_PLAIN,    [X87_FYL2X] = STACK_PLAIN,   [X87_FPTAN] = STACK_PLAIN,
    [X87_FPATAN] = STACK_PLAIN,   [X87_FYL2XP1] = STACK_PLAIN, [X87_FSINCOS] = STACK_PLAIN,
    [X87_FSIN] = STACK_PLAIN,     [X87_FCOS] = STACK_PLAIN,    [X87_CLEX] = STACK_PLAIN,
    [X87_LDCW] = STACK_CONTROL,   [X87_STSW] = STACK_STATUS,
};

static const uint8_t memory_bytes[] = {
    [X87_F32] = 4, [X87_F64] = 8, [X87_F80] = 10, [X87_I16] = 2,
    [X87_I32] = 4, [X87_I64] = 8, [X87_BCD] = 0, /* called */
};

StackHost x87_stack_host(uint64_t what)
{
    unsigned opcode = (unsigned)(what >> X87_OPCODE_SHIFT) & 0x7ff, op = what & 0x3f;
    unsigned from = (what >> X87_FROM_SHIFT) & 7;
    StackHost host = { .opcode = (uint8_t)(0xd8 | opcode >> 8), .modrm = (uint8_t)opcode };

    if (!(what & X87_QUICK) || op >= X87_OPS) {
        return (StackHost){ .form = STACK_CALL };
    }
    if (from != X87_ST_I) {
        bool store = op == X87_ST || op == X87_STT;
        host.bytes = memory_bytes[from];
        host.form = !host.bytes ? STACK_CALL : store ? STACK_STORE : STACK_LOAD;
        return host;
    }
    host.form = register_forms[op];
    if (host.form == STACK_MOVE_IF) {
        host.opcode = FCMOVNE;
        host.modrm = (uint8_t)(FCMOVNE_REG | ((what >> X87_I_SHIFT) & 7));
    }
    return host;
}
