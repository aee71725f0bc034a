/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opcode rows of the x87: D8 to DF and 9B (SDM volume 2, A.5).
 *
 * Rows that the manual leaves out, but processors run as another's alias, are named as it is.
 *
 * Threads: constants.
 */
#include "engine/dbt/guest/x86/tables.h"
#include "engine/dbt/guest/x86/tr_x87.h"
#include "engine/dbt/guest/x86/x87.h"

/* clang-format off */

#define ROW(mnemonic, rule_, arg, ...)                                                             \
    {                                                                                              \
        .name = mnemonic, .operand = { __VA_ARGS__ }, .rule = rule_, .argument = arg,              \
        .flags = OPCODE_X87                                                                        \
    }
/* One without operands, or with ST(0) only. */
#define PLAIN(mnemonic, op) ROW(mnemonic, tr_x87, X87_DO(op, X87_ST_I, 0))
/* ST(0) and ST(i); the result to the first. */
#define REG(mnemonic, op, pops)  ROW(mnemonic, tr_x87, X87_DO(op, X87_ST_I, pops), ST0, STi)
#define TO_I(mnemonic, op, pops)                                                                   \
    ROW(mnemonic, tr_x87, X87_DO(op, X87_ST_I, pops) | X87_TO_I, STi, ST0)
#define ONE_REG(mnemonic, op, pops) ROW(mnemonic, tr_x87, X87_DO(op, X87_ST_I, pops), STi)
#define FLAGS(mnemonic, op, pops)                                                                  \
    ROW(mnemonic, tr_x87_flags, X87_DO(op, X87_ST_I, pops), ST0, STi)
#define CMOV(mnemonic, cc)                                                                         \
    {                                                                                              \
        .name = mnemonic, .operand = { ST0, STi }, .rule = tr_x87_cmov, .flags = OPCODE_X87,       \
        .argument = X87_DO(X87_CMOV, X87_ST_I, 0) | (cc) << 12, .feature = X86_FEATURE_CMOV        \
    }
#define LOAD(mnemonic, from, operand_)   ROW(mnemonic, tr_x87, X87_DO(X87_LD, from, 0), operand_)
#define LOAD10(mnemonic, from)  ROW(mnemonic, tr_x87, X87_DO(X87_LD, from, 0), Mt)
#define STORE(mnemonic, to, pops, operand_)                                                        \
    ROW(mnemonic, tr_x87, X87_DO(X87_ST, to, pops), operand_)
#define TRUNCATE(to, operand_)                                                                     \
    {                                                                                              \
        .name = "fisttp", .operand = { operand_ }, .rule = tr_x87, .flags = OPCODE_X87,     \
        .argument = X87_DO(X87_STT, to, 1), .feature = X86_FEATURE_SSE3                            \
    }
#define STATE(mnemonic, helper) ROW(mnemonic, tr_x87_state, X86_CALL_##helper, M0)

/* The memory forms of D8, DA, DC, DE. */
#define ARITHMETIC(prefix, from, operand_)                                                         \
    {                                                                                              \
        ROW(prefix "add", tr_x87, X87_DO(X87_ADD, from, 0), operand_),                             \
        ROW(prefix "mul", tr_x87, X87_DO(X87_MUL, from, 0), operand_),                             \
        ROW(prefix "com", tr_x87, X87_DO(X87_COM, from, 0), operand_),                             \
        ROW(prefix "comp", tr_x87, X87_DO(X87_COM, from, 1), operand_),                            \
        ROW(prefix "sub", tr_x87, X87_DO(X87_SUB, from, 0), operand_),                             \
        ROW(prefix "subr", tr_x87, X87_DO(X87_SUBR, from, 0), operand_),                           \
        ROW(prefix "div", tr_x87, X87_DO(X87_DIV, from, 0), operand_),                             \
        ROW(prefix "divr", tr_x87, X87_DO(X87_DIVR, from, 0), operand_),                           \
    }
#define BY_MOD(memory, registers)                                                                  \
    {                                                                                              \
        { .group = memory, .select = SELECT_REG }, { .group = registers, .select = SELECT_REG }    \
    }
#define BY_RM(rows)                                                                                \
    {                                                                                              \
        .group = rows, .select = SELECT_RM                                                         \
    }

/* --- D8 */
static const X86Opcode d8_memory[8] = ARITHMETIC("f", X87_F32, Md);
static const X86Opcode d8_registers[8] = {
    REG("fadd", X87_ADD, 0), REG("fmul", X87_MUL, 0), REG("fcom", X87_COM, 0),
    REG("fcomp", X87_COM, 1), REG("fsub", X87_SUB, 0), REG("fsubr", X87_SUBR, 0),
    REG("fdiv", X87_DIV, 0), REG("fdivr", X87_DIVR, 0),
};
static const X86Opcode d8[2] = BY_MOD(d8_memory, d8_registers);

/* --- D9 */
static const X86Opcode d9_memory[8] = {
    [0] = LOAD("fld", X87_F32, Md),
    [2] = STORE("fst", X87_F32, 0, Md),
    [3] = STORE("fstp", X87_F32, 1, Md),
    [4] = STATE("fldenv", fldenv),
    [5] = ROW("fldcw", tr_x87_load_control, X87_DO(X87_LDCW, X87_ST_I, 0), Mw),
    [6] = STATE("fnstenv", fnstenv),
    [7] = ROW("fnstcw", tr_x87_store_control, 0, Mw),
};
static const X86Opcode d9_2[8] = { PLAIN("fnop", X87_NOP) };
static const X86Opcode d9_4[8] = {
    [0] = PLAIN("fchs", X87_CHS),
    [1] = PLAIN("fabs", X87_ABS),
    [4] = PLAIN("ftst", X87_TST),
    [5] = PLAIN("fxam", X87_XAM),
};
static const X86Opcode d9_5[8] = {
    PLAIN("fld1", X87_CONSTANT), PLAIN("fldl2t", X87_CONSTANT), PLAIN("fldl2e", X87_CONSTANT),
    PLAIN("fldpi", X87_CONSTANT), PLAIN("fldlg2", X87_CONSTANT), PLAIN("fldln2", X87_CONSTANT),
    PLAIN("fldz", X87_CONSTANT),
};
static const X86Opcode d9_6[8] = {
    PLAIN("f2xm1", X87_F2XM1), PLAIN("fyl2x", X87_FYL2X), PLAIN("fptan", X87_FPTAN),
    PLAIN("fpatan", X87_FPATAN), PLAIN("fxtract", X87_XTRACT), PLAIN("fprem1", X87_PREM1),
    PLAIN("fdecstp", X87_DECSTP), PLAIN("fincstp", X87_INCSTP),
};
static const X86Opcode d9_7[8] = {
    PLAIN("fprem", X87_PREM), PLAIN("fyl2xp1", X87_FYL2XP1), PLAIN("fsqrt", X87_SQRT),
    PLAIN("fsincos", X87_FSINCOS), PLAIN("frndint", X87_RNDINT), PLAIN("fscale", X87_SCALE),
    PLAIN("fsin", X87_FSIN), PLAIN("fcos", X87_FCOS),
};
static const X86Opcode d9_registers[8] = {
    ONE_REG("fld", X87_LD, 0), ONE_REG("fxch", X87_XCH, 0), BY_RM(d9_2),
    ONE_REG("fstp", X87_STU, 1), BY_RM(d9_4), BY_RM(d9_5), BY_RM(d9_6), BY_RM(d9_7),
};
static const X86Opcode d9[2] = BY_MOD(d9_memory, d9_registers);

/* --- DA */
static const X86Opcode da_memory[8] = ARITHMETIC("fi", X87_I32, Md);
static const X86Opcode da_5[8] = {
    [1] = ROW("fucompp", tr_x87, X87_DO(X87_UCOM, X87_ST_I, 2)),
};
static const X86Opcode da_registers[8] = {
    CMOV("fcmovb", 2), CMOV("fcmove", 4), CMOV("fcmovbe", 6), CMOV("fcmovu", 10),
    [5] = BY_RM(da_5),
};
static const X86Opcode da[2] = BY_MOD(da_memory, da_registers);

/* --- DB */
static const X86Opcode db_memory[8] = {
    [0] = LOAD("fild", X87_I32, Md),
    [1] = TRUNCATE(X87_I32, Md),
    [2] = STORE("fist", X87_I32, 0, Md),
    [3] = STORE("fistp", X87_I32, 1, Md),
    [5] = LOAD10("fld", X87_F80),
    [7] = STORE("fstp", X87_F80, 1, Mt),
};
static const X86Opcode db_4[8] = {
    /* of the 8087 and 80287, nothing since */
    [0] = ROW("fneni", tr_x87_control, X87_DO(X87_NOP, X87_ST_I, 0)),
    [1] = ROW("fndisi", tr_x87_control, X87_DO(X87_NOP, X87_ST_I, 0)),
    [2] = ROW("fnclex", tr_x87_control, X87_DO(X87_CLEX, X87_ST_I, 0)),
    [3] = ROW("fninit", tr_x87_control, X87_DO(X87_INIT, X87_ST_I, 0)),
    [4] = ROW("fnsetpm", tr_x87_control, X87_DO(X87_NOP, X87_ST_I, 0)),
};
static const X86Opcode db_registers[8] = {
    CMOV("fcmovnb", 3), CMOV("fcmovne", 5), CMOV("fcmovnbe", 7), CMOV("fcmovnu", 11),
    BY_RM(db_4), FLAGS("fucomi", X87_UCOMI, 0), FLAGS("fcomi", X87_COMI, 0),
};
static const X86Opcode db[2] = BY_MOD(db_memory, db_registers);

/* --- DC */
static const X86Opcode dc_memory[8] = ARITHMETIC("f", X87_F64, Mq);
static const X86Opcode dc_registers[8] = {
    TO_I("fadd", X87_ADD, 0), TO_I("fmul", X87_MUL, 0), REG("fcom", X87_COM, 0),
    REG("fcomp", X87_COM, 1), TO_I("fsubr", X87_SUBR, 0), TO_I("fsub", X87_SUB, 0),
    TO_I("fdivr", X87_DIVR, 0), TO_I("fdiv", X87_DIV, 0),
};
static const X86Opcode dc[2] = BY_MOD(dc_memory, dc_registers);

/* --- DD */
static const X86Opcode dd_memory[8] = {
    [0] = LOAD("fld", X87_F64, Mq),
    [1] = TRUNCATE(X87_I64, Mq),
    [2] = STORE("fst", X87_F64, 0, Mq),
    [3] = STORE("fstp", X87_F64, 1, Mq),
    [4] = STATE("frstor", frstor),
    [6] = STATE("fnsave", fnsave),
    [7] = ROW("fnstsw", tr_x87_store_status, 0, Mw),
};
static const X86Opcode dd_registers[8] = {
    ONE_REG("ffree", X87_FREE, 0), ONE_REG("fxch", X87_XCH, 0), ONE_REG("fst", X87_ST, 0),
    ONE_REG("fstp", X87_ST, 1), ONE_REG("fucom", X87_UCOM, 0), ONE_REG("fucomp", X87_UCOM, 1),
};
static const X86Opcode dd[2] = BY_MOD(dd_memory, dd_registers);

/* --- DE */
static const X86Opcode de_memory[8] = ARITHMETIC("fi", X87_I16, Mw);
static const X86Opcode de_3[8] = {
    [1] = ROW("fcompp", tr_x87, X87_DO(X87_COM, X87_ST_I, 2)),
};
static const X86Opcode de_registers[8] = {
    TO_I("faddp", X87_ADD, 1), TO_I("fmulp", X87_MUL, 1), REG("fcomp", X87_COM, 1), BY_RM(de_3),
    TO_I("fsubrp", X87_SUBR, 1), TO_I("fsubp", X87_SUB, 1), TO_I("fdivrp", X87_DIVR, 1),
    TO_I("fdivp", X87_DIV, 1),
};
static const X86Opcode de[2] = BY_MOD(de_memory, de_registers);

/* --- DF */
static const X86Opcode df_memory[8] = {
    [0] = LOAD("fild", X87_I16, Mw),
    [1] = TRUNCATE(X87_I16, Mw),
    [2] = STORE("fist", X87_I16, 0, Mw),
    [3] = STORE("fistp", X87_I16, 1, Mw),
    [4] = LOAD10("fbld", X87_BCD),
    [5] = LOAD("fild", X87_I64, Mq),
    [6] = STORE("fbstp", X87_BCD, 1, Mt),
    [7] = STORE("fistp", X87_I64, 1, Mq),
};
static const X86Opcode df_4[8] = { ROW("fnstsw", tr_x87_store_status, 0, AX) };
static const X86Opcode df_registers[8] = {
    ONE_REG("ffreep", X87_FREE, 1), ONE_REG("fxch", X87_XCH, 0), ONE_REG("fstp", X87_ST, 1),
    ONE_REG("fstp", X87_ST, 1), BY_RM(df_4), FLAGS("fucomip", X87_UCOMI, 1),
    FLAGS("fcomip", X87_COMI, 1),
};
static const X86Opcode df[2] = BY_MOD(df_memory, df_registers);
/* clang-format on */

const X86Opcode x86_map_x87[8] = {
    { .group = d8, .select = SELECT_MOD }, { .group = d9, .select = SELECT_MOD },
    { .group = da, .select = SELECT_MOD }, { .group = db, .select = SELECT_MOD },
    { .group = dc, .select = SELECT_MOD }, { .group = dd, .select = SELECT_MOD },
    { .group = de, .select = SELECT_MOD }, { .group = df, .select = SELECT_MOD },
};

const X86Opcode x86_row_fwait = { .name = "fwait", .rule = tr_fwait };
