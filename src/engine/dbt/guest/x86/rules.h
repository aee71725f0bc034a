/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of integer, control, string and system instructions, and what their rows' .argument
 * means.
 *
 * Threads: a translation belongs to one thread.
 */
#pragma once

#include "engine/dbt/guest/x86/translate.h"

typedef enum TrAlu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP } TrAlu;

typedef enum TrShift {
    SHIFT_ROL,
    SHIFT_ROR,
    SHIFT_RCL,
    SHIFT_RCR,
    SHIFT_SHL,
    SHIFT_SHR,
    SHIFT_SAL, /* another code of SHL */
    SHIFT_SAR
} TrShift;

typedef enum TrBit { BIT_BT, BIT_BTS, BIT_BTR, BIT_BTC } TrBit;

/* How a string instruction repeats. */
typedef enum TrRep {
    REP_ONCE = 0,
    REP_WHILE_EQUAL = 1, /* REP, REPE */
    REP_WHILE_NOT_EQUAL = 2,
    REP_MASK = 3,
    REP_STEP = 4, /* at most one element a call: single step */
} TrRep;

/* tr_integer.c */
void tr_alu(X86Tr *t, const X86Insn *insn); /* TrAlu */
void tr_test(X86Tr *t, const X86Insn *insn);
void tr_inc(X86Tr *t, const X86Insn *insn); /* 0 INC, 1 DEC */
void tr_not(X86Tr *t, const X86Insn *insn);
void tr_neg(X86Tr *t, const X86Insn *insn);
void tr_mul(X86Tr *t, const X86Insn *insn);   /* rAX times operand; 1: signed */
void tr_imul(X86Tr *t, const X86Insn *insn);  /* two or three operands */
void tr_div(X86Tr *t, const X86Insn *insn);   /* 1: signed */
void tr_adx(X86Tr *t, const X86Insn *insn);   /* 0 ADCX, 1 ADOX */
void tr_ascii(X86Tr *t, const X86Insn *insn); /* 0 DAA, 1 DAS, 2 AAA, 3 AAS, 4 AAM, 5 AAD */
void tr_cmpxchg(X86Tr *t, const X86Insn *insn);
void tr_cmpxchg8b(X86Tr *t, const X86Insn *insn);
void tr_xadd(X86Tr *t, const X86Insn *insn);
void tr_crc32(X86Tr *t, const X86Insn *insn);

/* tr_shift.c */
void tr_shift(X86Tr *t, const X86Insn *insn);        /* TrShift */
void tr_shift_double(X86Tr *t, const X86Insn *insn); /* 0 SHLD, 1 SHRD */
void tr_bit(X86Tr *t, const X86Insn *insn);          /* TrBit */
void tr_scan(X86Tr *t, const X86Insn *insn);         /* 0 BSF, 1 BSR */
void tr_count(X86Tr *t, const X86Insn *insn);        /* 0 TZCNT, 1 LZCNT */
void tr_popcnt(X86Tr *t, const X86Insn *insn);

/* tr_move.c */
void tr_mov(X86Tr *t, const X86Insn *insn); /* also MOVZX, MOVNTI */
void tr_movsx(X86Tr *t, const X86Insn *insn);
void tr_movbe(X86Tr *t, const X86Insn *insn);
void tr_bswap(X86Tr *t, const X86Insn *insn);
void tr_xchg(X86Tr *t, const X86Insn *insn);
void tr_lea(X86Tr *t, const X86Insn *insn);
void tr_cmov(X86Tr *t, const X86Insn *insn);
void tr_setcc(X86Tr *t, const X86Insn *insn);
void tr_extend_acc(X86Tr *t, const X86Insn *insn);  /* CBW and kin */
void tr_extend_pair(X86Tr *t, const X86Insn *insn); /* CWD and kin */
void tr_push(X86Tr *t, const X86Insn *insn);
void tr_pop(X86Tr *t, const X86Insn *insn);
void tr_push_all(X86Tr *t, const X86Insn *insn);
void tr_pop_all(X86Tr *t, const X86Insn *insn);
void tr_enter(X86Tr *t, const X86Insn *insn);
void tr_leave(X86Tr *t, const X86Insn *insn);
void tr_xlat(X86Tr *t, const X86Insn *insn);
void tr_lahf(X86Tr *t, const X86Insn *insn);
void tr_sahf(X86Tr *t, const X86Insn *insn);
void tr_flag(X86Tr *t, const X86Insn *insn); /* 0 CLC, 1 STC, 2 CMC, 3 CLD, 4 STD */
void tr_salc(X86Tr *t, const X86Insn *insn);
void tr_nop(X86Tr *t, const X86Insn *insn);
void tr_fence(X86Tr *t, const X86Insn *insn);

/* tr_control.c */
void tr_jmp(X86Tr *t, const X86Insn *insn);      /* relative */
void tr_jmp_near(X86Tr *t, const X86Insn *insn); /* through an operand */
void tr_jcc(X86Tr *t, const X86Insn *insn);
void tr_jcxz(X86Tr *t, const X86Insn *insn);
void tr_loop(X86Tr *t, const X86Insn *insn); /* 0 LOOPNE, 1 LOOPE, 2 LOOP */
void tr_call_near(X86Tr *t, const X86Insn *insn);
void tr_ret(X86Tr *t, const X86Insn *insn);
void tr_jmp_far(X86Tr *t, const X86Insn *insn);
void tr_call_far(X86Tr *t, const X86Insn *insn);
void tr_ret_far(X86Tr *t, const X86Insn *insn);
void tr_iret(X86Tr *t, const X86Insn *insn);
void tr_int(X86Tr *t, const X86Insn *insn); /* 0 INT n, 1 INT3, 2 INT1 */
void tr_into(X86Tr *t, const X86Insn *insn);
void tr_bound(X86Tr *t, const X86Insn *insn);
void tr_syscall(X86Tr *t, const X86Insn *insn); /* X86_CALL_syscall, ... */
void tr_undefined(X86Tr *t, const X86Insn *insn);

/* tr_string.c */
void tr_movs(X86Tr *t, const X86Insn *insn);
void tr_cmps(X86Tr *t, const X86Insn *insn);
void tr_stos(X86Tr *t, const X86Insn *insn);
void tr_lods(X86Tr *t, const X86Insn *insn);
void tr_scas(X86Tr *t, const X86Insn *insn);
void tr_ins(X86Tr *t, const X86Insn *insn);
void tr_outs(X86Tr *t, const X86Insn *insn);

/* tr_system.c */
void tr_mov_segment(X86Tr *t, const X86Insn *insn); /* to a segment register */
void tr_pop_segment(X86Tr *t, const X86Insn *insn);
void tr_load_far(X86Tr *t, const X86Insn *insn);    /* LDS and kin: X86_DS, ... */
void tr_mov_control(X86Tr *t, const X86Insn *insn); /* MOV CR, DR in both directions */
void tr_in(X86Tr *t, const X86Insn *insn);
void tr_out(X86Tr *t, const X86Insn *insn);
void tr_pushf(X86Tr *t, const X86Insn *insn);
void tr_popf(X86Tr *t, const X86Insn *insn);
void tr_cli(X86Tr *t, const X86Insn *insn);
void tr_sti(X86Tr *t, const X86Insn *insn);
void tr_simple_call(X86Tr *t, const X86Insn *insn);    /* helper, then go on */
void tr_calling_stop(X86Tr *t, const X86Insn *insn);   /* helper, then EXIT_STOP */
void tr_table(X86Tr *t, const X86Insn *insn);          /* LGDT, LIDT, SGDT, SIDT: the helper */
void tr_store_selector(X86Tr *t, const X86Insn *insn); /* SLDT, STR, SMSW: the helper */
void tr_load_selector(X86Tr *t, const X86Insn *insn);  /* LLDT, LTR, VERR, VERW, LMSW */
void tr_lar(X86Tr *t, const X86Insn *insn);            /* LAR, LSL */
void tr_arpl(X86Tr *t, const X86Insn *insn);
void tr_invlpg(X86Tr *t, const X86Insn *insn);
void tr_invpcid(X86Tr *t, const X86Insn *insn);
void tr_to_edx_eax(X86Tr *t, const X86Insn *insn); /* RDTSC, XGETBV, ...: the helper */
void tr_rdtscp(X86Tr *t, const X86Insn *insn);
void tr_rdpid(X86Tr *t, const X86Insn *insn);
void tr_xsetbv(X86Tr *t, const X86Insn *insn);
void tr_rdrand(X86Tr *t, const X86Insn *insn);
void tr_segment_base(X86Tr *t, const X86Insn *insn); /* 0 RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE */
void tr_hlt(X86Tr *t, const X86Insn *insn);
void tr_swapgs(X86Tr *t, const X86Insn *insn);
void tr_monitor(X86Tr *t, const X86Insn *insn);
void tr_clac(X86Tr *t, const X86Insn *insn); /* CLAC, STAC: the helper */
