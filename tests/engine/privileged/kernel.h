/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime of the two test kernels (64 and 32 bits): runs a piece of code in a given ring,
 * catches what it raises, compares, and says "ok - NAME" or "not ok - NAME: got .. want ..".
 *
 * A case is a row: its name, where it runs, what must come of it, and the code.  Rows are written
 * with CASE(), which puts the code among the kernel's functions and the row into the table of its
 * group.  Cases that need more are functions that call expect() themselves.
 *
 * An outcome is NONE (the code returned), or the vector and the error code: GP(8), PF(2), UD.
 *
 * The kernel runs with interrupts off.  After each case reset() puts control registers, tables,
 * segments and debug registers back, so cases don't depend on each other.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* ---- outcomes ---- */

#define OUTCOME(vector, error) ((vector) << 20 | ((error)&0xfffff))
#define NONE                   OUTCOME(0x7ff, 0)
#define DE                     OUTCOME(0, 0)
#define DB                     OUTCOME(1, 0)
#define NMI                    OUTCOME(2, 0)
#define BP                     OUTCOME(3, 0)
#define OF                     OUTCOME(4, 0)
#define BR                     OUTCOME(5, 0)
#define UD                     OUTCOME(6, 0)
#define NM                     OUTCOME(7, 0)
#define DF                     OUTCOME(8, 0)
#define TS(error)              OUTCOME(10, error)
#define NP(error)              OUTCOME(11, error)
#define SS(error)              OUTCOME(12, error)
#define GP(error)              OUTCOME(13, error)
#define PF(error)              OUTCOME(14, error)
#define MF                     OUTCOME(16, 0)
#define AC                     OUTCOME(17, 0)
#define XM                     OUTCOME(19, 0)
#define INT(vector)            OUTCOME(vector, 0)

/* ---- what was caught ---- */

typedef uintptr_t word;

typedef struct Caught {
    int outcome;
    word rip, cs, rflags, rsp, ss;
    word cr2;
    word dr6;
    word handler_rsp; /* where the handler's stack stood, above all that the CPU pushed */
    word gpr[16];     /* at the exception; in the order of the manual */
} Caught;

extern Caught caught;

/* Run @code (in ring 0, or in ring 3) with @argument in the first register; it returns, raises
 * something, or ends with INT 80h.  What came of it is also in caught. */
int try_kernel(const void *code, word argument);
int try_user(const void *code, word argument);
/* The same in 32-bit code of ring 0 or 3 (64-bit kernel: compatibility mode). */
int try_compat(const void *code, word argument);
int try_user_compat(const void *code, word argument);

/* In place of catching: called for @vector with the frame; the code goes on as the frame says.
 * reset() removes it. */
typedef struct Frame Frame;
typedef void (*Hook)(Frame *frame);
void hook(unsigned vector, Hook function);

/* ---- saying ---- */

void say(const char *text);
void say_hex(uint64_t value);
void say_outcome(int outcome);
/* One case each. */
void expect(const char *name, int got, int want);
void expect_value(const char *name, uint64_t got, uint64_t want);
void skip(const char *name, const char *why);

/* A case may kill the kernel: whoever runs it then starts it again with the number of the next
 * case as the last word of its command line, and the cases before it only count. */
typedef struct Progress {
    unsigned done, first;
} Progress;
extern Progress progress;
/* @information is what Multiboot gives, or 0. */
void read_command_line(word information);

/* ---- rows ---- */

#define KERNEL      0
#define USER        1
#define COMPAT      2
#define USER_COMPAT 3

typedef struct Row {
    const char *name;
    const void *code;
    word where, want;
} Row;

/* Run rows up to @end; @prepare may be NULL: called before each. */
void run_rows(const Row *row, const Row *end, void (*prepare)(void));

#if defined(__x86_64__)
#define ROW_WORD ".quad"
#else
#define ROW_WORD ".long"
#endif

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

/* A row of group @group (a C name; the table is run by RUN_ROWS(group, prepare)). */
#define CASE(group, name, where, want, code)                                                       \
    CASE_BITS(group, name, where, want, STRING(__SIZEOF_POINTER__), code)
#define CASE_BITS(group, name, where, want, size, text)                                            \
    __asm__(".pushsection .text.rows, \"ax\"\n"                                                    \
            ".if " size " == 8\n.code64\n.else\n.code32\n.endif\n"                                 \
            ".intel_syntax noprefix\n9: " text "\nret\n.att_syntax prefix\n"                       \
            ".popsection\n"                                                                        \
            ".pushsection .rodata\n8: .asciz \"" name "\"\n.popsection\n"                          \
            ".pushsection rows_" #group ", \"a\"\n" ROW_WORD                                       \
            " 8b, 9b, " STRING(where) ", " STRING(want) "\n.popsection\n")

/* The same with 32-bit code in the 64-bit kernel. */
#define CASE32(group, name, where, want, text)                                                     \
    __asm__(".pushsection .text.rows, \"ax\"\n.code32\n"                                           \
            ".intel_syntax noprefix\n9: " text "\nint 0x80\n.att_syntax prefix\n"                  \
            ".code64\n.popsection\n"                                                               \
            ".pushsection .rodata\n8: .asciz \"" name "\"\n.popsection\n"                          \
            ".pushsection rows_" #group ", \"a\"\n" ROW_WORD                                       \
            " 8b, 9b, " STRING(where) ", " STRING(want) "\n.popsection\n")

#define RUN_ROWS(group, prepare)                                                                   \
    do {                                                                                           \
        extern const Row __start_rows_##group[], __stop_rows_##group[];                            \
        run_rows(__start_rows_##group, __stop_rows_##group, prepare);                              \
    } while (0)

/* Code with a name, to be run by try_...(). */
#define CODE(name, text)                                                                           \
    __asm__(".pushsection .text.rows, \"ax\"\n" #name ":\n"                                        \
            ".intel_syntax noprefix\n" text "\nret\n.att_syntax prefix\n"                          \
            ".popsection\n");                                                                      \
    extern const char name[]

/* 16-bit code from @name to @name_end, to be copied. */
#define CODE16(name, text)                                                                         \
    __asm__(".pushsection .text.rows, \"ax\"\n.code16\n" #name ":\n"                               \
            ".intel_syntax noprefix\n" text "\n.att_syntax prefix\n" #name                         \
            "_end:\n.code32\n.popsection\n");                                                      \
    extern const uint8_t name[], name##_end[]

/* ---- the machine ---- */

/* Selectors of the kernel's GDT; from SCRATCH on a case may write what it likes. */
#define KCODE   0x08
#define KDATA   0x10
#define UCODE32 0x1b
#define UDATA   0x23
#define UCODE   0x2b /* 64-bit kernel: 64-bit; 32-bit kernel: the same as UCODE32 */
#define KCODE32 0x30
#define KCODE16 0x38
#define TSS_SEL 0x40
#define LDT_SEL 0x50
#define SCRATCH 0x60

enum { GDT_ENTRIES = 48 };

extern uint64_t gdt[GDT_ENTRIES];
extern uint64_t idt[512];
extern uint8_t tss[0x2100]; /* with room for a whole I/O bitmap */
extern uint64_t ldt[8];
extern uint8_t stack0[8192];     /* for entries from ring 3 */
extern uint8_t user_stack[8192]; /* to be used through user() */
extern uint8_t spare_stack[8192];
extern uint64_t scratch[512]; /* 4 KiB, page aligned */

/* Control registers as reset() sets them. */
typedef struct Defaults {
    word cr0, cr3, cr4;
    uint64_t efer;
} Defaults;
extern Defaults defaults;
extern bool is_intel;

void reset(void);
/* A descriptor as the manual draws it; @flags: bits 8 to 23 of its second word. */
uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t flags);
void set_gate(unsigned vector, word handler, unsigned selector, unsigned flags, unsigned ist);
/* Entry of @vector in the kernel. */
word stub(unsigned vector);

typedef struct Cpuid {
    uint32_t a, b, c, d;
} Cpuid;
Cpuid cpuid(uint32_t leaf, uint32_t subleaf);

static inline uint64_t rdmsr(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(index));
}

#define READ_CR(n)                                                                                 \
    ({                                                                                             \
        word value_;                                                                               \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(value_) : : "memory");                        \
        value_;                                                                                    \
    })
#define WRITE_CR(n, value) __asm__ volatile("mov %0, %%cr" #n : : "r"((word)(value)) : "memory")
#define READ_DR(n)                                                                                 \
    ({                                                                                             \
        word value_;                                                                               \
        __asm__ volatile("mov %%db" #n ", %0" : "=r"(value_));                                     \
        value_;                                                                                    \
    })
#define WRITE_DR(n, value) __asm__ volatile("mov %0, %%db" #n : : "r"((word)(value)) : "memory")

#define CR0_MP         0x2
#define CR0_EM         0x4
#define CR0_TS         0x8
#define CR0_NE         0x20
#define CR0_WP         0x10000
#define CR0_AM         0x40000
#define CR4_TSD        0x4
#define CR4_DE         0x8
#define CR4_PSE        0x10
#define CR4_PAE        0x20
#define CR4_PGE        0x80
#define CR4_PCE        0x100
#define CR4_OSFXSR     0x200
#define CR4_OSXMMEXCPT 0x400
#define CR4_UMIP       0x800
#define CR4_FSGSBASE   0x10000
#define CR4_PCIDE      0x20000
#define CR4_OSXSAVE    0x40000
#define CR4_SMEP       0x100000
#define CR4_SMAP       0x200000
#define MSR_EFER       0xc0000080
#define EFER_SCE       1
#define EFER_NXE       0x800
#define FLAG_TF        0x100
#define FLAG_IF        0x200
#define FLAG_NT        0x4000
#define FLAG_RF        0x10000
#define FLAG_AC        0x40000

static inline void flush_tlb(void)
{
    WRITE_CR(3, READ_CR(3));
}
